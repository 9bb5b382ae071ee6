"""Whether our clock agrees with those of the others."""

import time
from collections.abc import Callable, Iterator
from datetime import date
from email.utils import parsedate_to_datetime

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from common.db import reading
from common.deps import Deps
from common.doctor.asking import ask
from common.doctor.finding import Finding

MOST_SECONDS = 30  # what tokens of calls between our services forgive
_HARM = "tokens are refused and links end too soon: turn time synchronisation on"


def database_clock(
    deps: Deps, _today: date, now: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Compare our clock with the database's, which leases are kept by."""
    try:
        with reading(deps.db) as session:
            session.execute(text("select 1"))  # or connecting would count
            before = now()
            theirs = session.execute(
                text("select cast(extract(epoch from clock_timestamp()) as float8)")
            ).scalar_one()
            ours = (before + now()) / 2
    except (SQLAlchemyError, OSError) as exc:
        kind = type(exc).__name__
        yield Finding("note", f"The database's clock cannot be read ({kind}).")
        return
    yield _compared("the database's", ours - theirs)


def api_clock(
    deps: Deps, _today: date, now: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Compare our clock with the API's."""
    return outside_clock(deps.settings.public_url, now)


def outside_clock(url: str, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Compare our clock with the one that the API at ``url`` dates its answers by."""
    try:
        answer = ask(f"{url.rstrip('/')}/health")
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (OSError, ValueError):  # that it does not answer is said elsewhere
        return
    since = time.time() - answer.asked_at
    yield _compared("the API's", now() - since - theirs - 0.5)  # it has whole seconds


def _compared(whose: str, ahead_seconds: float) -> Finding:
    way = "ahead of" if ahead_seconds > 0 else "behind"
    if abs(ahead_seconds) > MOST_SECONDS:
        lag = f"Our clock is {abs(ahead_seconds):.0f} s {way} {whose}"
        return Finding("problem", f"{lag}: {_HARM}.")
    return Finding("ok", f"Our clock agrees with {whose}.")
