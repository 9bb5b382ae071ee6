"""Turn the sound of a project's file into a transcript."""

from typing import Any

from sqlalchemy import select

from common.jobs import AssetTranscription
from common.models import TranscriptRecord
from worker_service.handlers.transcribe import transcribe
from worker_service.homes import AssetHome
from worker_service.work import Work

_STARTED = 5  # percent, as the clients of these jobs know it


def run(work: Work[AssetTranscription]) -> None:
    """Write the transcript, unless the file has just this one already.

    What was recognised for the same wishes before, for whatever file, is not paid for
    twice. May be run again, see ``transcribe``.
    """
    payload = work.payload
    home = AssetHome(work)
    if not work.lease.checkpoint:
        asset_id = str(payload.asset_id)
        wishes = {"language": payload.language, "force": payload.force}
        work.say("Starting transcription job", asset_id=asset_id, **wishes)
        if (known := _known(work)) is not None:
            with work.finish(known, said=home.said(known)):
                return
        work.say("Preparing audio extraction")
        work.save({}, progress=_STARTED)
    transcribe(work, home)


def _known(work: Work[AssetTranscription]) -> dict[str, Any] | None:
    """Return the result of the job that made the present transcript, if it fits."""
    payload = work.payload
    if payload.force:
        return None
    query = select(TranscriptRecord.about).where(
        TranscriptRecord.recording_id == payload.recording_id
    )
    with work.deps.db.begin() as session:
        about = session.scalar(query)
    if about is None or about["transcript_id"] != payload.request:
        return None
    return {**about, "cached": True}
