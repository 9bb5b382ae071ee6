"""Fixtures shared by all tests. The database is real; only vendors are stand-ins."""

import io
import os
import shutil
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import pytest_socket
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.orm import sessionmaker

import api_service.app
import worker_service.app
from common import db as database
from common import logs, migrations, tracing
from common.db import Db
from common.deps import Deps
from common.local.postgres import EmbeddedPostgres
from common.models import Base
from common.providers import identity, internal_calls
from common.providers.events.log import LoggedEvents
from common.providers.storage.local import LocalStorage
from common.settings import Settings
from tests.fakes import FakeLanguageModel, FakeQueue, FakeSpeech
from tests.folders import open_folder
from worker_service.heartbeat import Heart

SECRET = "tests-only-" + "0" * 32
SECRET_KEY = "tests-only-" + "0123456789abcdef" * 2
ADMIN_TOKEN = "admin-" + "0123456789abcdef" * 2
LOOPBACK = ["127.0.0.0/8", "::1", "localhost"]


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup() -> None:
    """No test reaches beyond this machine."""
    pytest_socket.socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@pytest.fixture(autouse=True, scope="module")
def _the_environment_stays() -> Iterator[None]:
    """No file changes what the next one in the same process meets."""
    before = _environment()
    yield
    assert _environment() == before


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}


@pytest.fixture(autouse=True)
def _the_trace_ends() -> Iterator[None]:
    """No request of a test goes on when the test has ended."""
    yield
    assert tracing.traceparent() is None
    assert not logs._bound.get()  # noqa: SLF001 - what log lines would tell of it


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL: the one of TEST_DATABASE_URL, else our own."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    home = open_folder()
    with EmbeddedPostgres().start(home, durable=False) as server:
        yield server.url
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def new_database(server_url: str) -> Iterator[Callable[[], str]]:
    """Make empty databases; they are dropped in the end."""
    admin = database.engine(server_url, isolation_level="AUTOCOMMIT")
    names: list[str] = []

    def create() -> str:
        names.append(f"test_{uuid4().hex}")
        with admin.connect() as connection:
            connection.execute(text(f"create database {names[-1]}"))
        url = make_url(server_url).set(database=names[-1])
        return url.render_as_string(hide_password=False)

    yield create
    with admin.connect() as connection:
        for name in names:
            connection.execute(text(f"drop database {name} with (force)"))
    admin.dispose()


@pytest.fixture(scope="session")
def database_url(new_database: Callable[[], str]) -> str:
    """A migrated database for this test process."""
    url = new_database()
    migrations.upgrade(url)
    return url


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = database.engine(database_url, pool_size=30)
    yield engine
    engine.dispose()


@pytest.fixture
def db(engine: Engine) -> Iterator[Db]:
    """A session factory whose commits vanish when the test ends.

    All is one outer transaction, so ``now()`` stands still: tests of time and of
    parallel work take ``committed_db``.
    """
    with engine.connect() as connection, connection.begin() as outer:
        yield sessionmaker(
            connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
        )
        outer.rollback()


@pytest.fixture
def committed_db(engine: Engine) -> Iterator[Db]:
    """A session factory whose commits are real; all tables are emptied afterwards."""
    yield sessionmaker(engine, expire_on_commit=False)
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text(f"truncate {tables} restart identity cascade"))


@pytest.fixture
def storage_dir(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def settings(database_url: str, storage_dir: Path) -> Settings:
    return Settings(
        DATABASE_URL=database_url,
        PEGASUS_INTERNAL_SECRET=SECRET,
        PLC_STORAGE_DIR=storage_dir,
        SECRET_KEY=SECRET_KEY,
        ADMIN_TOKEN=ADMIN_TOKEN,
    )


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def speech() -> FakeSpeech:
    return FakeSpeech()


@pytest.fixture
def llm() -> FakeLanguageModel:
    return FakeLanguageModel()


@pytest.fixture
def deps(db, settings, queue, speech, llm) -> Deps:
    return make_deps(db, settings, queue, speech, llm)


@pytest.fixture
def committed_deps(committed_db, settings, queue, speech, llm) -> Deps:
    """As ``deps``, with commits that are real."""
    return make_deps(committed_db, settings, queue, speech, llm)


def make_deps(db: Db, settings: Settings, queue, speech, llm) -> Deps:
    return Deps(
        settings=settings,
        db=db,
        storage=LocalStorage(settings.storage_dir),
        queue=queue,
        events=LoggedEvents(),
        identity=identity.from_settings(settings),
        speech=lambda _provider, _model: speech,
        llm=lambda _provider, _model: llm,
    )


class ReadingClient(FlaskClient):
    """A client that reads each answer to its end, as a real one does."""

    def open(self, *args, buffered=True, **kwargs):
        return super().open(*args, buffered=buffered, **kwargs)


@pytest.fixture
def api(deps: Deps) -> FlaskClient:
    return make_api(deps)


def make_api(deps: Deps) -> FlaskClient:
    app = api_service.app.create_app(deps)
    app.test_client_class = ReadingClient
    return app.test_client()


@pytest.fixture
def heart(deps: Deps) -> Heart:
    return make_heart(deps)


def make_heart(deps: Deps) -> Heart:
    """A heart that fails the test instead of ending the process."""

    def die(status: int) -> None:
        raise AssertionError(f"the worker would exit with {status}")

    return Heart(deps.db, lease_seconds=deps.settings.lease_seconds, die=die)


@dataclass
class Worker:
    """The worker's front door, with the queue's key."""

    deps: Deps
    client: FlaskClient

    def post(self, path: str, json: object, caller: str = internal_calls.QUEUE):
        settings = self.deps.settings
        token = internal_calls.sign(
            settings.internal_secret, audience=settings.worker_url, caller=caller
        )
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.post(path, json=json, headers=headers)

    def run_all(self, queue: FakeQueue) -> int:
        """Deliver every task, and those that follow from it; return how many."""
        delivered = 0
        while tasks := queue.take():
            for task in tasks:
                reply = self.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
                assert reply.status_code == 200, reply.text
                delivered += 1
        return delivered


@pytest.fixture
def worker(deps: Deps, heart: Heart) -> Worker:
    return Worker(deps, worker_service.app.create_app(deps, heart).test_client())


@pytest.fixture
def committed_worker(committed_deps: Deps) -> Worker:
    app = worker_service.app.create_app(committed_deps, make_heart(committed_deps))
    return Worker(committed_deps, app.test_client())


@pytest.fixture
def ingest(api: FlaskClient) -> Callable[..., object]:
    """Send a recording to the API as a client does; fields may be replaced."""
    return make_ingest(api)


def make_ingest(api: FlaskClient) -> Callable[..., object]:
    def send(content: bytes | None = None, name: str = "talk.wav", **fields: object):
        form = {
            "course_id": "c1",
            "lecture_id": "l1",
            "preset_id": "exam-mode",
            "title": "First lecture",
            **fields,
        }
        data = content if content is not None else spoken_wav()
        form["audio"] = (io.BytesIO(data), name)
        return api.post("/lectures/ingest", data=form)

    return send


def spoken_wav(seconds: float = 4.0) -> bytes:
    """A short WAV with sound in it, made once per length."""
    rate = 16_000
    random = np.random.default_rng(1)
    noise = random.normal(0, 3000, int(rate * seconds)).astype("<i2")
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(noise.tobytes())
    return target.getvalue()


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """The SQL that the test sends; clear it before the part that counts."""
    seen: list[str] = []

    def note(_c, _cursor, statement, *_rest):
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK TO")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)
