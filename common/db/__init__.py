"""The one place that knows how to reach the database.

A unit of work is ``with db.begin() as session:``. It commits on leaving the block and
rolls back on any exception. Nothing else in the code base commits. Routes that only
read use ``with reading(db) as session:``, which costs a third of the round trips.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.orm import Session, sessionmaker

from common.settings import Settings

Db = sessionmaker[Session]

_ANSWER_SECONDS = 10  # for any answer; statements of ours take milliseconds
_FREE_SECONDS = 5  # for a free connection: then the database hangs, or all is too slow
_RECYCLE_SECONDS = 300  # idle connections towards a VPC are cut after 10 minutes


def connect(url: str, *, pool_size: int = 10) -> Db:
    """Return a session factory. No connection is opened until first use."""
    return _pooled(engine(url, **_pool(pool_size)))


def connect_from(
    settings: Settings,
    *,
    pool_size: int | None = None,
    answer_seconds: float = _ANSWER_SECONDS,
) -> Db:
    """Return a session factory for the database of the settings, wherever it is.

    Args:
        settings: of this process.
        pool_size: instead of the one in the settings.
        answer_seconds: how long a statement may take before its connection is lost.
    """
    pool = _pool(pool_size or settings.database_pool_size)
    return _pooled(engine_from(settings, timeout_seconds=answer_seconds, **pool))


def _pooled(pool: Engine) -> Db:
    return sessionmaker(pool, expire_on_commit=False)


def _pool(size: int) -> dict[str, Any]:
    """Return the options of a pool that keeps its connections.

    There is no overflow, which SQLAlchemy would close after each use, because a new
    connection costs 20 ms.
    """
    return {
        "pool_size": size,
        "max_overflow": 0,
        "pool_timeout": _FREE_SECONDS,
        "pool_pre_ping": True,
        "pool_recycle": _RECYCLE_SECONDS,
        "pool_use_lifo": True,  # the few that are in use need no ping, see Dialect
    }


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
    url: str | URL,
    *,
    timeout_seconds: float | None = _ANSWER_SECONDS,
    dial: Callable[[], ssl.SSLSocket] | None = None,
    **options: Any,  # noqa: ANN401 - those of create_engine
) -> Engine:
    """Return an engine.

    Args:
        url: any PostgreSQL URL, with ``sslmode`` or not.
        timeout_seconds: for each answer of the server; None waits for ever.
        dial: opens the line instead of us, who then read no host from the URL.
        options: those of ``create_engine``.
    """
    address = make_url(url)
    registry.register("postgresql.pegasus", "common.db.driver", "Dialect")
    line = _connect_args(address) | {"timeout": timeout_seconds, "dial": dial}
    return create_engine(
        _without_sslmode(address).set(drivername="postgresql+pegasus"),
        connect_args=line,
        **options,
    )


def engine_from(settings: Settings, **options: Any) -> Engine:  # noqa: ANN401
    """Return an engine for the database of the settings; ``options`` as ``engine``."""
    url = make_url(settings.database_url.get_secret_value())
    if settings.cloud_sql_instance is None:
        return engine(url, **options)
    from common.db import cloud_sql  # Google's libraries take half a second to load

    instance = cloud_sql.Instance(
        settings.cloud_sql_instance,
        ip_type=settings.cloud_sql_ip_type,
        iam_login=url.password is None,
        admin_url=settings.cloud_sql_admin_url,
    )
    user = url.username if url.password else cloud_sql.login_name(url.username or "")
    return engine(url.set(username=user), dial=instance.dial, **options)


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
