"""A talk with known pauses, and what became of it."""

from io import BytesIO

import numpy as np
from sqlalchemy import select

from common.media.container import decode
from common.models import Job, SegmentRecord, TranscriptRecord
from common.transcript import Segment
from tests.common.job_steps import change
from tests.media_samples import bursts, wav_bytes

# Three sentences with pauses, and a long silence that is nobody's business.
SPOKEN = ((0.5, 2.0), (3.0, 4.5), (12.5, 14.0))


def recorded():
    return wav_bytes(bursts(15.5, SPOKEN))


def hear_bursts(flac):
    """Recognise each burst where it lies in the piece, to the 20 ms."""
    pcm = np.frombuffer(b"".join(decode(BytesIO(flac))), "<i2")
    frames = pcm[: len(pcm) // 320 * 320].reshape(-1, 320).astype(float)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 300)
    if not loud.size:
        return ()
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > 10) + 1)
    return tuple(
        Segment(int(p[0]) * 20, int(p[-1] + 1) * 20, "A burst.") for p in parts
    )


def jobs_of(db, kind="transcription"):
    with db.begin() as session:
        found = select(Job).where(Job.kind == kind).order_by(Job.id)
        return list(session.scalars(found))


def segments(db):
    with db.begin() as session:
        found = select(SegmentRecord).order_by(SegmentRecord.number)
        return list(session.scalars(found))


def transcript(db):
    with db.begin() as session:
        return session.scalars(select(TranscriptRecord)).one_or_none()


def lecture_status(api, lecture_id="l1"):
    return api.get(f"/lectures/{lecture_id}").json["status"]


def make_due(db):
    for kind in ("transcription", "transcription_chunk"):
        for job in jobs_of(db, kind):
            change(db, job.id, available_at=job.created_at)
