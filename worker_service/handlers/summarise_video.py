"""Write what a video is about, and what could be asked about it."""

from sqlalchemy import select, update

from common import transcripts
from common.briefs import BriefMaterial
from common.errors import Conflict, NotFound
from common.jobs import VideoSummary
from common.models import TranscriptRecord, Video
from worker_service.remembered import Remembered
from worker_service.work import Work


def run(work: Work[VideoSummary]) -> None:
    """Write the summary, unless somebody else has sent one meanwhile.

    Safe to run twice: the paid answers are remembered, and only a video that is still
    without a summary gets one.
    """
    material = _read(work)
    model = work.deps.llm(work.payload.provider, work.payload.model)
    found = model.brief(material, Remembered(work))
    work.pulse.check()
    with work.finish({"videoId": work.payload.video_id}) as session:
        session.execute(
            update(Video)
            .where(Video.video_id == work.payload.video_id, Video.summary.is_(None))
            .values(summary=found.text, suggested_questions=list(found.questions))
        )


def _read(work: Work[VideoSummary]) -> BriefMaterial:
    with work.deps.db.begin() as session:
        video = session.scalars(
            select(Video).where(Video.video_id == work.payload.video_id)
        ).first()
        if video is None:
            raise NotFound("Video not found.")
        record = session.get(TranscriptRecord, video.recording_id)
        if record is None:
            raise Conflict("Transcript not found.", code="transcript_missing")
        segments = transcripts.segments_of(session, video.recording_id)
    return BriefMaterial(video.title, record.language, segments)
