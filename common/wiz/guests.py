"""Talks of guests: their session ids end with the browser's tab; nobody comes back."""

from sqlalchemy import text
from sqlalchemy.orm import Session

KEPT_DAYS = 30  # as long as somebody may have kept the id that we gave out
_BATCH = 500  # talks; the rest waits for the next sweep

_FORGET = text("""
delete from conversations where id in (
  select id from conversations
   where guest is not null
     and updated_at < clock_timestamp() - make_interval(days => :days)
   order by updated_at limit :batch for update skip locked)
""")


def forget_old(session: Session) -> None:
    """Drop the talks of guests in which nothing was said for so long."""
    session.execute(_FORGET, {"days": KEPT_DAYS, "batch": _BATCH})
