"""The job protocol: PostgreSQL is the truth, the queue only rings the bell.

payloads    what each job type needs to know
enqueue     a job and the promise to send it, in the caller's transaction; sending
leases      claim, keep, and give up the right to work on a job
outcomes    the fenced ends of a run: checkpoint, succeed, wait, give back
notes       what people read of a project's job
pull        jobs that helpers outside come for
repair      what the sweep does: rescue, janitor
control     what people do: cancel, replay

docs/decisions/0002-job-protocol.md tells why it is built like this.
"""

from common.jobs.control import cancel, replay
from common.jobs.enqueue import Task, Terms, drain, enqueue
from common.jobs.leases import Busy, Lease, LeaseLost, beat, claim, watch
from common.jobs.notes import note
from common.jobs.outcomes import (
    GiveBack,
    checkpoint,
    give_back,
    succeed,
    wait_for_children,
)
from common.jobs.payloads import (
    AiNote,
    AssetTranscription,
    Export,
    Generation,
    Ingest,
    Payload,
    Recognition,
    SceneDetection,
    TimelineExport,
    Transcription,
    TranscriptionChunk,
    VideoMetadata,
    VideoSummary,
    VideoTranscript,
)
from common.jobs.pull import held, pull
from common.jobs.repair import Rescued, janitor, rescue, wake_parents

__all__ = [
    "AiNote",
    "AssetTranscription",
    "Busy",
    "Export",
    "Generation",
    "GiveBack",
    "Ingest",
    "Lease",
    "LeaseLost",
    "Payload",
    "Recognition",
    "Rescued",
    "SceneDetection",
    "Task",
    "Terms",
    "TimelineExport",
    "Transcription",
    "TranscriptionChunk",
    "VideoMetadata",
    "VideoSummary",
    "VideoTranscript",
    "beat",
    "cancel",
    "checkpoint",
    "claim",
    "drain",
    "enqueue",
    "give_back",
    "held",
    "janitor",
    "note",
    "pull",
    "replay",
    "rescue",
    "succeed",
    "wait_for_children",
    "wake_parents",
    "watch",
]
