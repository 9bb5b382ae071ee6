"""How often a client may write: a sliding window, exact across all processes."""

from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address

from flask import Flask, request
from sqlalchemy import text

from api_service import auth
from api_service.auth import Access
from api_service.context import deps
from api_service.people.callers import caller
from common.errors import AppError

# One statement decides: the row is locked while it counts, so no two calls can both
# take the last place. What is refused is not recorded.
_TAKE = text("""
insert into rate_windows as w (key, events, expires_at)
values (:key, array[clock_timestamp()],
        clock_timestamp() + make_interval(secs => :window))
on conflict (key) do update
   set events = array_append(
         array(select e from unnest(w.events) e
                where e > clock_timestamp() - make_interval(secs => :window)),
         clock_timestamp()),
       expires_at = excluded.expires_at
 where (select count(*) from unnest(w.events) e
         where e > clock_timestamp() - make_interval(secs => :window)) < :most
returning key
""")

# A place is free when the event leaves that has so many newer ones behind it.
_WAIT = text("""
select extract(epoch from e - clock_timestamp()) + :window
  from rate_windows w, unnest(w.events) e
 where w.key = :key
 order by e desc offset :newer limit 1
""")

# What guests ask is counted where it is answered, with quotas of its own.
_COUNTED = {Access.WRITE, Access.USER, Access.NOTES}
_TRIES_WINDOW_SECONDS = 300  # a person who mistypes tries again within minutes
_PEOPLE_BEHIND_AN_ADDRESS = 3


class TooManyWrites(AppError):
    """Too many write requests. Please retry shortly."""

    status = 429
    code = "rate_limited"


class TooManyTries(TooManyWrites):
    """Too many attempts. Please retry later."""


def register(app: Flask) -> None:
    """Have every write counted, after its caller was let in."""
    app.before_request(_count)


def client_address() -> str:
    """Return who is calling, as far as it can be trusted.

    Each proxy of ours appends the address that called it to ``X-Forwarded-For``, so
    with N of them the client is the Nth entry from the right. What stands further
    left was sent by the client, who may have made it up.
    """
    hops = deps().settings.trusted_proxy_hops
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    named = forwarded[-hops] if 0 < hops <= len(forwarded) else ""
    return _network(named) or _network(request.remote_addr or "") or "unknown"


def _network(entry: str) -> str | None:
    """Return an address, of IPv6 the /64 that is one client's; None if it is none."""
    try:
        address = ip_address(_without_port(entry.strip()))
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def _without_port(entry: str) -> str:
    """Return the address in ``[2001:db8::1]:443`` or ``192.0.2.1:443``."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _count() -> None:
    if request.endpoint is None or request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    if auth.access_of(request.endpoint, request.method) in _COUNTED:
        take(f"write:{writer()}")


def writer() -> str:
    """Return whose writes are counted together: a person's, else an address's."""
    user_id = caller().user_id
    return client_address() if user_id is None else f"user:{user_id}"


def take(key: str) -> None:
    """Count one write of this client.

    Raises:
        TooManyWrites: the window is full.
    """
    settings = deps().settings
    window = settings.write_rate_limit_window_sec
    wait = _wait(key, settings.write_rate_limit_max_requests, window)
    if wait is not None:
        raise _refusal(TooManyWrites, wait)


def take_try(action: str, *subjects: str) -> None:
    """Count one try to log in, or to do what strangers may try as well.

    Args:
        action: what is tried; other actions are counted apart.
        subjects: who is tried, beside the caller's address; each has its own count,
            kept without its name.

    Raises:
        TooManyTries: one of the counts is full.
    """
    most = deps().settings.login_rate_limit
    # An address stands for a school: it has more tries than one account.
    counts = {f"{action}:from:{client_address()}": most * _PEOPLE_BEHIND_AN_ADDRESS}
    for one in subjects:
        counts[f"{action}:{sha256(one.encode()).hexdigest()}"] = most
    for key, allowed in counts.items():
        wait = _wait(key, allowed, _TRIES_WINDOW_SECONDS)
        if wait is not None:
            raise _refusal(TooManyTries, wait)


def _refusal(kind: type[TooManyWrites], wait_seconds: float) -> TooManyWrites:
    error = kind()
    error.retry_after_seconds = max(1.0, wait_seconds)
    return error


def _wait(key: str, most: int, window_seconds: int) -> float | None:
    """Take a place in a window; return how long to wait if there is none."""
    values = {"key": key, "window": window_seconds}
    with deps().db.begin() as session:
        if session.execute(_TAKE, values | {"most": most}).first() is not None:
            return None
        return session.execute(_WAIT, values | {"newer": most - 1}).scalar() or 0.0
