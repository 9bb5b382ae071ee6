"""Tables. One module per aggregate; import models from here."""

from common.models.base import Base
from common.models.budget import BudgetDay, BudgetReservation
from common.models.course import Course
from common.models.doomed_object import DoomedObject
from common.models.event import EventOutbox, InboxMessage
from common.models.job import (
    LIVE_STATES,
    Job,
    JobEvent,
    JobOutbox,
    JobState,
)
from common.models.lecture import Artifact, Export, Lecture, LectureStatus
from common.models.provider_call import ProviderResult, UsageEntry
from common.models.recording import Recording, SegmentRecord, TranscriptRecord
from common.models.safety import DeletionEvent, IdempotencyKey, RateWindow
from common.models.thread import Thread, ThreadContribution
from common.models.upload import Upload, UploadState

__all__ = [
    "LIVE_STATES",
    "Artifact",
    "Base",
    "BudgetDay",
    "BudgetReservation",
    "Course",
    "DeletionEvent",
    "DoomedObject",
    "EventOutbox",
    "Export",
    "IdempotencyKey",
    "InboxMessage",
    "Job",
    "JobEvent",
    "JobOutbox",
    "JobState",
    "Lecture",
    "LectureStatus",
    "ProviderResult",
    "RateWindow",
    "Recording",
    "SegmentRecord",
    "Thread",
    "ThreadContribution",
    "TranscriptRecord",
    "Upload",
    "UploadState",
    "UsageEntry",
]
