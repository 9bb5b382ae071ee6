"""Units of work, and a database that goes away under them."""

import contextlib
import gc
import socket
import socketserver
import struct
import threading
import time
import warnings
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InvalidRequestError,
)

from common import db as database
from common.db import driver
from common.models import Course, Lecture
from tests import factories

TIMEOUT: Any = 0.3  # whole seconds in earnest


@pytest.fixture
def connect():
    """Make session factories; their connections are closed in the end."""
    made = []

    def make(*args, **options):
        made.append(database.connect(*args, **options))
        return made[-1]

    yield make
    for factory in made:
        factory.kw["bind"].dispose()


def test_leaving_the_block_commits(committed_db):
    with committed_db.begin() as session:
        session.add(Course(id="c1", title="Biology"))
    with committed_db.begin() as session:
        assert session.get_one(Course, "c1").title == "Biology"


def test_an_exception_undoes_the_whole_block(committed_db):
    with pytest.raises(ZeroDivisionError), committed_db.begin() as session:  # noqa: PT012
        session.add(Course(id="c1", title="Biology"))
        session.flush()
        raise ZeroDivisionError
    with committed_db.begin() as session:
        assert session.get(Course, "c1") is None


def test_rows_can_be_read_after_the_block(committed_db):
    with committed_db.begin() as session:
        course = Course(id="c1", title="Biology")
        session.add(course)
    assert course.created_at.tzinfo is not None


def test_nothing_is_loaded_behind_ones_back(db):
    factories.lecture(db)
    with db.begin() as session:
        lecture = session.get_one(Lecture, "l1")
        with pytest.raises(InvalidRequestError, match="raise"):
            _ = lecture.recording


def test_a_rule_of_the_table_is_kept(db):
    factories.course(db, "c1")
    with pytest.raises(IntegrityError):
        factories.course(db, "c1")


def test_no_connection_is_opened_until_first_use(connect):
    factory = connect("postgresql://nobody@127.0.0.1:1/x")
    with pytest.raises(InterfaceError), factory.begin() as session:
        session.execute(text("select 1"))


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+pg8000"]
)
@pytest.mark.parametrize(
    "query", ["", "?sslmode=disable", "?sslmode=prefer&channel_binding=prefer"]
)
def test_any_postgresql_address_is_understood(connect, database_url, scheme, query):
    rest = database_url.partition("://")[2]
    factory = connect(f"{scheme}://{rest}{query}")
    with factory.begin() as session:
        assert session.scalar(text("select current_setting('application_name')")) == (
            "pegasus"
        )


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_a_connection_that_must_be_encrypted_is_never_made_in_clear(
    connect, database_url, mode
):
    factory = connect(f"{database_url}?sslmode={mode}")
    with pytest.raises(InterfaceError, match="SSL"), factory.begin() as session:
        session.execute(text("select 1"))


def test_times_are_utc_whatever_the_server_thinks(committed_db):
    with committed_db.begin() as session:
        session.execute(text("set local timezone to 'Asia/Tokyo'"))
        session.add(Course(id="c1", title="Biology"))
        session.flush()
        tokyo = session.scalar(select(Course.created_at))
    with committed_db.begin() as session:
        assert session.scalar(select(Course.created_at)) == tokyo


class Proxy(socketserver.ThreadingTCPServer):
    """Stands between us and the database and can fail as networks do."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host, port):
        super().__init__(("127.0.0.1", 0), _Relay)
        self.target = (host, port)
        self.mode = "pass"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Relay(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self):
        with socket.create_connection(self.server.target) as upstream:
            back = threading.Thread(target=self.copy, args=(upstream, self.request))
            back.start()
            self.copy(self.request, upstream, client=True)
            with contextlib.suppress(OSError):
                upstream.shutdown(socket.SHUT_RDWR)
            back.join()

    def copy(self, source, target, *, client=False):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if client and self.server.mode == "reset":
                    reset = struct.pack("ii", 1, 0)  # close with RST, not FIN
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                    source.close()
                    return
                if self.server.mode != "silence":
                    target.sendall(data)


@pytest.fixture
def proxy(database_url):
    address = urlsplit(database_url)
    with Proxy(address.hostname, address.port) as server:
        yield server
        server.shutdown()


@pytest.fixture
def through(proxy, database_url):
    """An engine whose connections go through the proxy; answers take 0.3 s at most."""
    url = make_url(database_url).set(port=proxy.server_address[1])
    engine = database.engine(
        url.render_as_string(hide_password=False),
        timeout_seconds=TIMEOUT,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
    )
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("failure", ["reset", "silence"])
def test_a_lost_connection_is_a_database_error_and_not_a_bug(through, proxy, failure):
    with through.connect() as connection:
        connection.execute(text("select 1"))
        proxy.mode = failure
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("select 1"))
        assert caught.value.connection_invalidated


@pytest.mark.parametrize("failure", ["reset", "silence"])
def test_a_commit_whose_answer_is_lost_is_a_database_error(through, proxy, failure):
    with pytest.raises(DBAPIError), through.begin() as connection:  # noqa: PT012
        connection.execute(text("select 1"))
        proxy.mode = failure


@pytest.fixture
def unclosed():
    """pg8000 does not close the socket of a connection that it could not begin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.mark.parametrize("failure", ["reset", "silence"])
@pytest.mark.usefixtures("unclosed")
def test_a_lost_connection_is_replaced_before_its_next_use(
    through, proxy, failure, monkeypatch
):
    monkeypatch.setattr(driver, "_TRUSTED_SECONDS", 0)  # as if it had been idle
    proxy.mode = failure
    with pytest.raises(InterfaceError):  # found dead, and no new one can be made
        through.connect()
    proxy.mode = "pass"
    with through.connect() as connection:
        assert connection.scalar(text("select 1")) == 1


def test_a_step_of_the_schema_may_take_longer_than_a_greeting(
    database_url, monkeypatch
):
    monkeypatch.setattr(driver, "HELLO_SECONDS", 0.3)
    engine = database.engine(database_url, timeout_seconds=None)
    with engine.connect() as connection:
        connection.execute(text("select pg_sleep(0.6)"))
    engine.dispose()


def test_waiting_for_an_answer_ends(through, proxy):
    started = time.monotonic()
    with pytest.raises(DBAPIError), through.connect() as connection:
        connection.execute(text("select pg_sleep(30)"))
    assert time.monotonic() - started < 20
