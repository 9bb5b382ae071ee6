"""Domain events out, and pushed messages in.

facts    what can happen, and what is told of it
outbox   the promise of an event, in the caller's transaction; keeping it
inbox    which messages have had their effect
"""

from common.events.event import Event
from common.events.facts import (
    FACTS,
    CourseDeleted,
    Fact,
    JobFailed,
    LectureCreated,
    LectureDeleted,
    LectureExported,
    LectureGenerated,
    LectureTranscribed,
    NoteWaiting,
    UploadCompleted,
    UploadRefused,
)
from common.events.outbox import drain, emit

__all__ = [
    "FACTS",
    "CourseDeleted",
    "Event",
    "Fact",
    "JobFailed",
    "LectureCreated",
    "LectureDeleted",
    "LectureExported",
    "LectureGenerated",
    "LectureTranscribed",
    "NoteWaiting",
    "UploadCompleted",
    "UploadRefused",
    "drain",
    "emit",
]
