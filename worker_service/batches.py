"""Have a whole recording recognised where it is stored, by an operation of the vendor.

A step of a transcription, not a job of its own. No thread waits for the operation: its
name is kept in the job's checkpoint, the job is given back, and each time that it is
delivered again it asks once.
"""

from typing import cast
from uuid import UUID

from common import jobs, tracing
from common.errors import ProviderError
from common.jobs import LeaseLost, Recognition, TranscriptionChunk
from common.models import BatchOperation
from common.providers import catalog
from common.providers.speech import BatchSpeech, Heard, Pending, Speech
from common.spending import give_back, set_aside
from common.usage import Estimate
from worker_service import operations
from worker_service.handlers.transcribe_chunk import Answer, remembered, save
from worker_service.work import Waiting, Work

_PLANNED = 10  # percent of the work that is done before
_HEARD = 90  # and after
_OF_LENGTH = 1 / 60  # of three hours: as long as it may take without being noticed
_POLL_SECONDS = (5, 120)  # polls are free, but each is a task, a claim and a call


def recognize_once(
    work: Work[Recognition], piece: TranscriptionChunk, length_ms: int
) -> None:
    """Return when the answer is saved; it may have been before, by whatever job.

    Whoever has lost the job saves nothing: an operation is paid once, so its cost is
    written down by one only. What became of the job meanwhile, the sweep looks after.

    A process that dies between the start of an operation and the moment its name is
    saved leaves one that nobody asks for: at most one operation is then paid twice.

    Raises:
        Waiting: the operation is at work.
        ProviderError: it failed. It is forgotten, so that another try starts anew.
    """
    if remembered(piece, work.deps):
        return
    speech = work.deps.speech(piece.provider, piece.model)
    if speech.batch is None:
        raise ProviderError("This recogniser takes no whole recordings.")
    operation = work.lease.checkpoint.get("operation")
    if operation is None:
        _start(work, piece, speech, length_ms)
        raise Waiting(_pause_seconds(length_ms))
    found = speech.batch.poll(operation, length_ms=length_ms, language=piece.language)
    _take(work, piece, found, length_ms)


def _start(
    work: Work[Recognition],
    piece: TranscriptionChunk,
    speech: Speech,
    length_ms: int,
) -> None:
    work.pulse.check()
    uri = work.deps.storage.uri(piece.object_key)
    most, batch = _cost(speech, length_ms), cast("BatchSpeech", speech.batch)
    span = tracing.span("speech.start_batch", "client", provider=piece.provider)
    with set_aside(work.deps, most) as held, span:
        operation = batch.start(uri, language=piece.language)
    begun = BatchOperation(
        name=operation,
        job_id=work.lease.job_id,
        provider=speech.engine.provider,
        model=speech.engine.model,
        language=piece.language,
        length_ms=length_ms,
        held=held,
    )
    patch = {"operation": operation, "held": held and str(held)}
    try:
        with work.deps.db.begin() as session:
            jobs.checkpoint(session, work.lease, patch)
            session.add(begun)
    except LeaseLost:  # nobody will ask for it, so the sweep has to end it
        with work.deps.db.begin() as session:
            session.add(begun)
        raise


def _take(
    work: Work[Recognition],
    piece: TranscriptionChunk,
    found: Heard | Pending | ProviderError,
    length_ms: int,
) -> None:
    operation, named = (work.lease.checkpoint.get(n) for n in ("operation", "held"))
    held = UUID(named) if named else None
    over = {"operation": None, "held": None}
    match found:
        case Pending():
            done = _PLANNED + found.percent * (_HEARD - _PLANNED) // 100
            work.save({}, progress=done)
            raise Waiting(_pause_seconds(length_ms))
        case ProviderError():
            give_back(work.deps, held, found)
            with work.deps.db.begin() as session:
                jobs.checkpoint(session, work.lease, over)
                operations.forget(session, str(operation))
            raise found
        case Heard():
            speech = work.deps.speech(piece.provider, piece.model)
            with work.deps.db.begin() as session:
                jobs.checkpoint(session, work.lease, over)
                operations.forget(session, str(operation))
                save(session, piece, speech, Answer(work.lease.job_id, found, held))


def _cost(speech: Speech, length_ms: int) -> Estimate:
    return catalog.speech_estimate(speech.engine, seconds=length_ms / 1000)


def _pause_seconds(length_ms: int) -> float:
    shortest, longest = _POLL_SECONDS
    return min(max(length_ms / 1000 * _OF_LENGTH, shortest), longest)
