"""The job protocol: PostgreSQL is the truth, the queue only rings the bell.

payloads    what each job type needs to know
enqueue     a job and the promise to send it, in the caller's transaction; sending
leases      claim, keep, and give up the right to work on a job
outcomes    the fenced ends of a run: checkpoint, succeed, wait, give back
pull        jobs that helpers outside come for
repair      what the sweep does: rescue, janitor
control     what people do: cancel, replay

docs/decisions/0002-job-protocol.md tells why it is built like this.
"""

from common.jobs.control import cancel, replay
from common.jobs.enqueue import Task, Terms, drain, enqueue
from common.jobs.leases import Busy, Lease, LeaseLost, beat, claim, watch
from common.jobs.outcomes import (
    GiveBack,
    checkpoint,
    give_back,
    succeed,
    wait_for_children,
)
from common.jobs.payloads import (
    Export,
    Generation,
    Payload,
    Transcription,
    TranscriptionChunk,
)
from common.jobs.pull import pull
from common.jobs.repair import Rescued, janitor, rescue, wake_parents

__all__ = [
    "Busy",
    "Export",
    "Generation",
    "GiveBack",
    "Lease",
    "LeaseLost",
    "Payload",
    "Rescued",
    "Task",
    "Terms",
    "Transcription",
    "TranscriptionChunk",
    "beat",
    "cancel",
    "checkpoint",
    "claim",
    "drain",
    "enqueue",
    "give_back",
    "janitor",
    "pull",
    "replay",
    "rescue",
    "succeed",
    "wait_for_children",
    "wake_parents",
    "watch",
]
