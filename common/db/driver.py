"""SQLAlchemy's dialect for pg8000, with fewer round trips and an eye for lost lines."""

import select
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

from pg8000 import InterfaceError, converters, core, legacy
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

_TRUSTED_SECONDS = 1.0  # only a network that drops packets silently can deceive us
HELLO_SECONDS = 10  # a server that is there greets within one; a slow VPC needs some


@contextmanager
def _lost() -> Iterator[None]:
    """Call every failure of the network a lost connection, so that it is replaced.

    pg8000 1.31 does so when it writes, but not when it waits for an answer.
    """
    try:
        yield
    except OSError as exc:
        raise InterfaceError("network error") from exc  # the words SQLAlchemy looks for


class Connection(legacy.Connection):  # type: ignore[misc]  # it has no types
    """pg8000's connection; a statement takes one round trip instead of three."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        self._answered_at = 0.0
        hello = HELLO_SECONDS if timeout is None else min(timeout, HELLO_SECONDS)
        super().__init__(*args, timeout=hello, **options)
        self._usock.settimeout(timeout)
        self.register_in_adapter(converters.TIMESTAMPTZ, _moment)

    def execute_unnamed(
        self,
        statement: str,
        vals: Sequence[object] = (),
        oids: Sequence[int] = (),
        stream: object = None,
    ) -> core.Context:
        """Run a statement: send all of it, then read all of the answer.

        pg8000 1.31 waits after each of its parts. The server skips what follows a part
        that it refuses, up to the sync, so an error is met as before.
        """
        params = core.make_params(self.py_types, vals)  # may fail: before any is sent
        context = core.Context(statement, stream=stream)
        self.send_PARSE(core.NULL_BYTE, statement, oids)
        self.send_DESCRIBE_STATEMENT(core.NULL_BYTE)
        self.send_BIND(core.NULL_BYTE, params)
        self.send_EXECUTE()
        self._send_message(core.SYNC, b"")
        self._sock.flush()
        self.handle_messages(context)
        return context

    def handle_messages(self, context: core.Context) -> None:
        """Read an answer to its end, and note when."""
        super().handle_messages(context)
        self._answered_at = time.monotonic()

    def seems_alive(self) -> bool:
        """Tell whether the server answered lately and has said nothing since.

        It says something, if only that it hangs up, when it ends a session.
        """
        line = select.poll()
        line.register(self._usock, select.POLLIN)
        lately = time.monotonic() - self._answered_at < _TRUSTED_SECONDS
        return lately and not line.poll(0)


class Dialect(PGDialect_pg8000):
    """SQLAlchemy's own for pg8000, which also survives an answer that never comes."""

    supports_statement_cache = True

    def connect(
        self,
        *args: Any,  # noqa: ANN401
        dial: Callable[[], ssl.SSLSocket] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Return a connection, over the line that ``dial`` opens if it is given."""
        with _lost():
            if dial is None:
                return Connection(*args, **options)
            with ExitStack() as unless_used:
                line = unless_used.enter_context(dial())
                options |= {"sock": line, "ssl_context": False}  # it is encrypted
                connection = Connection(*args, **options)
                unless_used.pop_all()
                return connection

    def do_execute(self, *args: Any, **options: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_execute(*args, **options)  # type: ignore[no-untyped-call]

    def do_executemany(self, *args: Any, **options: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_executemany(*args, **options)  # type: ignore[no-untyped-call]

    def do_ping(self, dbapi_connection: Any) -> bool:  # noqa: ANN401
        """Tell whether the server is there; it is asked only if that is in doubt."""
        if dbapi_connection.seems_alive():
            return True
        with _lost():
            return super().do_ping(dbapi_connection)

    def do_commit(self, dbapi_connection: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_commit(dbapi_connection)  # type: ignore[no-untyped-call]

    def do_rollback(self, dbapi_connection: Any) -> None:  # noqa: ANN401, D102
        with _lost():
            super().do_rollback(dbapi_connection)  # type: ignore[no-untyped-call]

    def reset_isolation_level(self, dbapi_conn: Any) -> None:  # noqa: ANN401
        """Leave AUTOCOMMIT, the only other level in use, without telling the server."""
        dbapi_conn.autocommit = False


def _moment(text: str) -> Any:  # noqa: ANN401 - pg8000 gives some as text
    """Return a time as pg8000's own parser does, but ten times as fast."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # infinity, or a year that Python does not have
        return converters.timestamptz_in(text)
