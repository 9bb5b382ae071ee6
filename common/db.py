"""The one place that knows how to reach the database.

A unit of work is ``with db.begin() as session:``. It commits on leaving the block and
rolls back on any exception. Nothing else in the code base commits.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pg8000 import InterfaceError
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.orm import Session, sessionmaker

Db = sessionmaker[Session]

_ANSWER_TIMEOUT_SECONDS = 30  # pg8000 waits so long for any answer, not only the first
_RECYCLE_SECONDS = 300  # idle connections towards a VPC are cut after 10 minutes


def connect(url: str, *, pool_size: int = 5, max_overflow: int = 5) -> Db:
    """Return a session factory. No connection is opened until first use."""
    pool = {
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "pool_pre_ping": True,
        "pool_recycle": _RECYCLE_SECONDS,
    }
    return sessionmaker(engine(url, **pool), expire_on_commit=False)


def engine(
    url: str,
    *,
    timeout_seconds: int | None = _ANSWER_TIMEOUT_SECONDS,
    **options: Any,  # noqa: ANN401 - those of create_engine
) -> Engine:
    """Return an engine; ``url`` may be any PostgreSQL URL, with ``sslmode`` or not."""
    address = make_url(url)
    registry.register("postgresql.pegasus", __name__, "Dialect")
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


@contextmanager
def _lost() -> Iterator[None]:
    """Call every failure of the network a lost connection, so that it is replaced.

    pg8000 1.31 does so when it writes, but not when it waits for an answer.
    """
    try:
        yield
    except OSError as exc:
        raise InterfaceError("network error") from exc  # the words SQLAlchemy looks for


class Dialect(PGDialect_pg8000):
    """SQLAlchemy's own for pg8000, which also survives an answer that never comes."""

    supports_statement_cache = True

    def connect(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401, D102
        with _lost():
            return super().connect(*args, **options)

    def do_execute(self, *args: Any, **options: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_execute(*args, **options)  # type: ignore[no-untyped-call]

    def do_executemany(self, *args: Any, **options: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_executemany(*args, **options)  # type: ignore[no-untyped-call]

    def do_ping(self, dbapi_connection: Any) -> bool:  # noqa: ANN401, D102
        with _lost():
            return super().do_ping(dbapi_connection)

    def do_commit(self, dbapi_connection: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_commit(dbapi_connection)  # type: ignore[no-untyped-call]

    def do_rollback(self, dbapi_connection: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_rollback(dbapi_connection)  # type: ignore[no-untyped-call]
