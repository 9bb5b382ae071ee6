"""One row per video, however many ask for it at once."""

from uuid import UUID, uuid5

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from common.models import Video

# A recording's id follows from the video's: so whoever comes second meets the row of
# the first, and leaves none behind that nobody points to.
_NAMESPACE = UUID("a4d9a4f6-6d1b-5c55-9a0c-6f1f0f6f3a11")

# Without a target every unique index decides: another transaction may have written its
# entry into one of them and not yet into the next.
_MAKE = text("""
with r as (
  insert into recordings (id, kind, original_filename, size_bytes, sha256)
  values (:recording_id, 'youtube', :video_id, 0, '')
  on conflict do nothing)
insert into videos (video_id, recording_id) values (:video_id, :recording_id)
on conflict do nothing
""")


def ensure(session: Session, video_id: str) -> Video:
    """Return the video, made if it is new, and locked until the transaction ends.

    Who stores a transcript locks it as well; so a note is either there when its
    transcript comes, or sees it.
    """
    found = locked(session, video_id)
    if found is None:
        values = {"video_id": video_id, "recording_id": uuid5(_NAMESPACE, video_id)}
        session.execute(_MAKE, values)
        found = session.scalars(_locked(video_id)).one()
    return found


def locked(session: Session, video_id: str) -> Video | None:
    """Return the video, locked; None if there is none.

    It comes before any of its jobs' rows: with the other order two could wait for
    each other.
    """
    return session.scalars(_locked(video_id)).first()


def _locked(video_id: str) -> Select[Video]:
    """Return the query; what only refers to the video need not wait for us."""
    return (
        select(Video)
        .where(Video.video_id == video_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
