"""How often a client may write: a sliding window, exact across all processes."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from flask import Flask, request
from sqlalchemy import text

from api_service import auth
from api_service.context import deps
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


class TooManyWrites(AppError):
    """Too many write requests. Please retry shortly."""

    status = 429
    code = "rate_limited"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


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
    if auth.access_of(request.endpoint, request.method) is auth.Access.WRITE:
        take(f"write:{client_address()}")


def take(key: str) -> None:
    """Count one write of this client.

    Raises:
        TooManyWrites: the window is full.
    """
    settings = deps().settings
    most = settings.write_rate_limit_max_requests
    values = {"key": key, "window": settings.write_rate_limit_window_sec}
    with deps().db.begin() as session:
        if session.execute(_TAKE, values | {"most": most}).first() is not None:
            return
        wait = session.execute(_WAIT, values | {"newer": most - 1}).scalar()
    raise TooManyWrites(max(1.0, float(wait or 1)))
