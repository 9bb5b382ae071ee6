"""What people and helpers do with videos, for the tests of all parts."""

from uuid import uuid4

from common import transcripts, videos
from common.models import Conversation, Note, TranscriptRecord
from common.videos import Heard, transcript
from tests import factories

ID = "dQw4w9WgXcQ"
OTHER_ID = "BBBBBBBBBBB"
LINES = [
    {"text": "A cell is the smallest unit of life that can live alone.", "offset": 0.5},
    {"text": "Mitochondria release the energy of food in every cell.", "offset": 6.25},
    {"text": "Osmosis is the movement of water through a membrane.", "offset": 12.0},
    {"text": "Plants build sugar from light by photosynthesis.", "offset": 19.5},
]
for _line in LINES:
    _line["duration"] = 7.0
ABOUT = {"id": ID, "title": "Cells in five minutes", "duration": 26, "uploader": "Bio"}
READY = {"summary": "S", "about": {"title": "B"}, "suggested_questions": None}


def video(db, video_id=ID, **fields):
    """Save a video, as somebody's first note makes it, with these columns."""
    with db.begin() as session:
        found = videos.ensure(session, video_id)
        for name, value in fields.items():
            setattr(found, name, value)
    return found


def heard(db, found, lines=LINES):
    """Give a video the transcript that a helper would."""
    said = transcript([Heard(**line) for line in lines], None)
    with db.begin() as session:
        row = TranscriptRecord(
            recording_id=found.recording_id,
            job_id=uuid4(),
            object_key=f"captions/{found.video_id}/{uuid4()}.1.json",
            language=said.language,
            provider="youtube",
            model="captions",
            total_ms=said.total_ms,
            heard_ms=said.heard_ms,
            gaps=[],
        )
        session.add(row)
        session.flush()
        transcripts.save_segments(
            session, found.recording_id, said.language, said.segments
        )
    return row


def note(db, user, video_id=ID, **fields):
    """Save a note of a person on a video that is there."""
    values = {"video_id": video_id, "user_id": user.id, "timestamp": "0:07"}
    return factories.save(db, Note(**{**values, **fields}))


def conversation(db, video_id=ID, **owner):
    """Save a conversation of a user or a guest about a video."""
    return factories.save(db, Conversation(video_id=video_id, **owner))
