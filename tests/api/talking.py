"""Recordings that somebody speaks in, talks about them, and the bytes of an answer."""

import json

from common import transcripts, videos
from common.models import Conversation, Video
from common.transcript import Engine, Segment, Transcript
from tests import factories

VIDEO = "dQw4w9WgXcQ"
SAID = (
    "A cell is the smallest unit of life.",
    "Mitochondria are organelles that release energy from food.",
    "The nucleus is the part of the cell that holds its DNA.",
)
EVERY_MS = 45_000


def speak(db, recording_id, *texts, language="en-US"):
    """Give a recording a transcript with a sentence each 45 seconds."""
    segments = tuple(
        Segment(n * EVERY_MS, n * EVERY_MS + 5000, said) for n, said in enumerate(texts)
    )
    total = EVERY_MS * len(texts)
    made = Transcript(segments, language, Engine("fake", "f"), total, total)
    with db.begin() as session:
        key = f"transcripts/{recording_id}.json"
        transcripts.replace(session, recording_id, None, key, made)


def video(db, *texts, video_id=VIDEO, **fields):
    """Save a video; without texts it has no transcript yet."""
    with db.begin() as session:
        found = videos.ensure(session, video_id)
        for name, value in fields.items():
            setattr(found, name, value)
    if texts:
        speak(db, found.recording_id, *texts)
    return found


def lecture(db, *texts, lecture_id="l1", **fields):
    found = factories.lecture(db, lecture_id, status="transcribed", **fields)
    if texts:
        speak(db, found.recording_id, *texts)
    return found


def talk(db, about, **owner):
    """Save a talk about a video or a lecture."""
    key = "video_id" if isinstance(about, Video) else "lecture_id"
    named = about.video_id if isinstance(about, Video) else about.id
    return factories.save(db, Conversation(**{key: named}, **owner))


def events(reply):
    """Return what an answer's frames hold: JSON, or the word at the end."""
    frames = reply.get_data(as_text=True).split("\n\n")
    assert frames.pop() == ""
    assert all(frame.startswith("data: ") for frame in frames)
    bodies = [frame.removeprefix("data: ") for frame in frames]
    return [body if body == "[DONE]" else json.loads(body) for body in bodies]


def said(reply):
    """Return the whole text of an answer."""
    return "".join(e.get("content", "") for e in events(reply) if e != "[DONE]")
