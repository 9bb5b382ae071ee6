"""What helpers outside are to fetch, and what is told when they gave up."""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from common import jobs
from common.jobs import VideoMetadata, VideoTranscript
from common.jobs.payloads import video_subject
from common.models import Job, JobState, TranscriptRecord, Video

Wanted = VideoMetadata | VideoTranscript

# A video that is private or has no captions is so in a minute as well; what was an
# outage of theirs is over by then.
_PAUSE = timedelta(hours=6)
_SHOWN = 500  # characters of a reason
_LOST = "No helper could fetch it."
_ERRORS = {
    VideoMetadata.kind: "metadata_error",
    VideoTranscript.kind: "transcript_error",
}


def fetch(session: Session, video: Video) -> bool:
    """Have helpers fetch what a locked video lacks; return whether it has a transcript.

    What is being fetched already is not asked for again, and what has failed for good
    only after some hours: then its error is taken back.
    """
    heard = select(TranscriptRecord).where(
        TranscriptRecord.recording_id == video.recording_id
    )
    given_up = (
        select(func.array_agg(Job.kind))
        .where(
            Job.subject == video_subject(video.video_id),
            Job.state == JobState.FAILED,
            Job.finished_at > func.clock_timestamp() - _PAUSE,
        )
        .scalar_subquery()
    )
    has_transcript, refused = session.execute(select(heard.exists(), given_up)).one()
    lacking: list[Wanted] = []
    if video.about is None:
        lacking.append(VideoMetadata(video_id=video.video_id))
    if not has_transcript:
        lacking.append(VideoTranscript(video_id=video.video_id))
    for payload in lacking:
        if payload.kind not in (refused or ()):
            jobs.enqueue(session, payload)
            setattr(video, _ERRORS[payload.kind], None)
    return bool(has_transcript)


def give_up(session: Session, kind: str, video_id: str, reason: str) -> None:
    """Tell those who wait for a video that metadata or a transcript will not come."""
    shown = " ".join(reason.split())[:_SHOWN] or _LOST
    session.execute(
        update(Video).where(Video.video_id == video_id).values({_ERRORS[kind]: shown})
    )


def failed(session: Session, payload: Wanted) -> None:
    """Do so for a task that nobody ever brought back."""
    give_up(session, payload.kind, payload.video_id, _LOST)
