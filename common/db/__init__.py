"""The one place that knows how to reach the database.

A unit of work is ``with db.begin() as session:``. It commits on leaving the block and
rolls back on any exception. Nothing else in the code base commits. Routes that only
read use ``with reading(db) as session:``, which costs a third of the round trips.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.orm import Session, sessionmaker

Db = sessionmaker[Session]

_ANSWER_TIMEOUT_SECONDS = 30  # pg8000 waits so long for any answer, not only the first
_RECYCLE_SECONDS = 300  # idle connections towards a VPC are cut after 10 minutes


def connect(url: str, *, pool_size: int = 10) -> Db:
    """Return a session factory. No connection is opened until first use.

    Connections are kept; there is no overflow, which SQLAlchemy would close after each
    use, because a new connection costs 20 ms.
    """
    pool = {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_pre_ping": True,
        "pool_recycle": _RECYCLE_SECONDS,
        "pool_use_lifo": True,  # the few that are in use need no ping, see Dialect
    }
    return sessionmaker(engine(url, **pool), expire_on_commit=False)


@contextmanager
def reading(db: Db) -> Iterator[Session]:
    """Yield a session without a transaction, for what only reads.

    Nothing is sent but the queries. Each sees what was committed when it began, which
    is all that our isolation level promises inside a transaction, too.
    """
    with db() as session:
        if isinstance(session.bind, Engine):  # else a connection, in its transaction
            session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session


def engine(
    url: str,
    *,
    timeout_seconds: int | None = _ANSWER_TIMEOUT_SECONDS,
    **options: Any,  # noqa: ANN401 - those of create_engine
) -> Engine:
    """Return an engine; ``url`` may be any PostgreSQL URL, with ``sslmode`` or not."""
    address = make_url(url)
    registry.register("postgresql.pegasus", "common.db.driver", "Dialect")
    return create_engine(
        _without_sslmode(address).set(drivername="postgresql+pegasus"),
        connect_args=_connect_args(address) | {"timeout": timeout_seconds},
        **options,
    )


def _without_sslmode(address: URL) -> URL:
    """Drop what only other drivers read (pg8000 takes an SSL context instead)."""
    return address.difference_update_query(["sslmode", "channel_binding"])


def _connect_args(address: URL) -> dict[str, Any]:
    args: dict[str, Any] = {"application_name": "pegasus"}
    mode = address.query.get("sslmode", "prefer")
    if mode in {"require", "verify-ca", "verify-full"}:
        context = ssl.create_default_context()
        if mode == "require":  # encrypted, not verified, as libpq defines it
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        args["ssl_context"] = context
    return args
