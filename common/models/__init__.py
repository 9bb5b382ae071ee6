"""Tables. One module per aggregate; import models from here."""

from common.models.account import LongTermToken, User
from common.models.asset import Asset, JobLog, SceneRun, SubtitleEdit, Thumbnail
from common.models.base import Base
from common.models.budget import BudgetDay, BudgetReservation
from common.models.conversation import ChatQuota, Conversation, Message
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
from common.models.provider_call import BatchOperation, ProviderResult, UsageEntry
from common.models.recording import Recording, SegmentRecord, TranscriptRecord
from common.models.safety import DeletionEvent, IdempotencyKey, RateWindow
from common.models.thread import Thread, ThreadContribution
from common.models.upload import Upload, UploadState
from common.models.video import Note, PullTask, Video

__all__ = [
    "LIVE_STATES",
    "Artifact",
    "Asset",
    "Base",
    "BatchOperation",
    "BudgetDay",
    "BudgetReservation",
    "ChatQuota",
    "Conversation",
    "Course",
    "DeletionEvent",
    "DoomedObject",
    "EventOutbox",
    "Export",
    "IdempotencyKey",
    "InboxMessage",
    "Job",
    "JobEvent",
    "JobLog",
    "JobOutbox",
    "JobState",
    "Lecture",
    "LectureStatus",
    "LongTermToken",
    "Message",
    "Note",
    "ProviderResult",
    "PullTask",
    "RateWindow",
    "Recording",
    "SceneRun",
    "SegmentRecord",
    "SubtitleEdit",
    "Thread",
    "ThreadContribution",
    "Thumbnail",
    "TranscriptRecord",
    "Upload",
    "UploadState",
    "UsageEntry",
    "User",
    "Video",
]
