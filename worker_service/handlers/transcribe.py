"""Turn a lecture's recording into a transcript: plan, recognise, assemble."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from common import jobs, object_keys
from common.documents.check import pages as read_document
from common.documents.passages import segments
from common.errors import ProviderError
from common.jobs import Recognition, Transcription, TranscriptionChunk
from common.media.pcm import RATE
from common.models import Job, JobState, Lecture, LectureStatus, Recording
from common.transcript import Engine, Transcript
from worker_service import batches, plans
from worker_service.handlers import transcribe_chunk
from worker_service.homes import Home, LectureHome
from worker_service.transcripts import assemble, publish
from worker_service.work import Work

_PLANNED = 10  # percent of the work that is done once the recording is cut


def run(work: Work[Transcription]) -> None:
    """Write the transcript of a lecture's recording.

    May be run again, see ``transcribe``.
    """
    transcribe(work, LectureHome(work))


def transcribe(work: Work[Recognition], home: Home) -> None:
    """Write the recording's transcript.

    The job is run up to three times on its way: it plans, waits while its pieces are
    recognised by jobs of their own, and is woken to assemble. Each step is saved, so
    any of them may be run again.
    """
    plan = work.lease.checkpoint.get("plan")
    if plan is None:
        with work.deps.db.begin() as session:
            recording = home.start(session)
        if recording.kind == "pdf":
            _read(work, home, recording)
            return
        plan = plans.plan(work, recording.object_key or "")
        work.save({"plan": plan}, progress=_PLANNED)
    pieces = [_piece(work, plan, number) for number in range(len(plan["pieces"]))]
    if len(pieces) > 1 and not work.lease.checkpoint.get("fanned_out"):
        _fan_out(work, pieces)
        return
    if len(pieces) == 1:
        work.pulse.check()
        _recognize(work, plan, pieces[0])
    transcript = assemble(work, plan, pieces, _failures(work, len(pieces)))
    publish(work, home, plan, transcript)


def failed(session: Session, payload: Transcription) -> None:
    """Show people that the lecture needs them."""
    session.execute(
        update(Lecture)
        .where(
            Lecture.id == payload.lecture_id,
            Lecture.recording_id == payload.recording_id,
        )
        .values(status=LectureStatus.FAILED)
    )


def _read(work: Work[Recognition], home: Home, recording: Recording) -> None:
    """Take a document's own text as its transcript: pages instead of times."""
    with work.deps.storage.read(recording.object_key or "") as source:
        found = read_document(source)
    transcript = Transcript(
        segments=segments(found),
        language=work.payload.language,
        engine=Engine("pypdf", version("pypdf")),
        total_ms=0,
        heard_ms=0,
    )
    publish(work, home, {"created_at": _now(), "pieces": []}, transcript)


def _recognize(
    work: Work[Recognition], plan: dict[str, Any], piece: TranscriptionChunk
) -> None:
    """Have the only piece recognised: here, or where it is stored."""
    if plan.get("batch"):  # plans made before there were batches do not say
        length_ms = plan["total_samples"] * 1000 // RATE
        batches.recognize_once(work, piece, length_ms)
    else:
        transcribe_chunk.recognize_once(piece, work.deps, work.lease.job_id)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _piece(
    work: Work[Recognition], plan: dict[str, Any], number: int
) -> TranscriptionChunk:
    return TranscriptionChunk(
        number=number,
        object_key=object_keys.piece(work.lease.job_id, number),
        sha256=plan["pieces"][number][2],
        provider=work.payload.provider,
        model=work.payload.model,
        language=work.payload.language,
        prompt=work.payload.hint,
        afresh=work.lease.job_id if work.payload.afresh else None,
    )


def _fan_out(work: Work[Recognition], pieces: list[TranscriptionChunk]) -> None:
    """Make a job of each piece and wait for them, in one transaction."""
    parent = work.lease.job_id
    with work.deps.db.begin() as session:
        jobs.checkpoint(session, work.lease, {"fanned_out": len(pieces)})
        for piece in pieces:
            jobs.enqueue(
                session,
                piece,
                parent_id=parent,
                dedupe_key=f"{parent}:piece:{piece.number}",
            )
        jobs.wait_for_children(session, work.lease, len(pieces))


def _failures(work: Work[Recognition], count: int) -> dict[int, str]:
    """Return the error code of each piece that was given up.

    Raises:
        ProviderError: all of them were; there is nothing to assemble.
    """
    query = select(Job.payload["number"].as_integer(), Job.error_code).where(
        Job.parent_id == work.lease.job_id,
        Job.state.in_([JobState.FAILED, JobState.CANCELLED]),
    )
    with work.deps.db.begin() as session:
        failures = {row[0]: row[1] or "unknown" for row in session.execute(query)}
    if count and len(failures) == count:
        code = failures[0]
        raise ProviderError(f"No part could be transcribed ({code}).", code=code)
    return failures
