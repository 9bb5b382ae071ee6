"""scripts/smoke_worker_queue.sh: its own tests, and a Pegasus that really runs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from common.local.stack import Stack
from tests.e2e.machine import OFFLINE, clean_environment, free_place, new_home

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
QUICK = {"SMOKE_POLL_INTERVAL_SEC": "0.3"}  # everything else as it comes


def require(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"not installed: {missing}")
    if missing:
        pytest.skip(f"not installed: {missing}")


def run(name, **settings):
    require("bash", "curl", "python3")
    environment = {
        k: v for k, v in clean_environment().items() if not k.startswith("SMOKE_")
    }
    return subprocess.run(  # noqa: S603 - our own script
        [SCRIPTS / name],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def shell_scripts():
    return [
        path
        for path in sorted(SCRIPTS.iterdir())
        if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
    ]


def test_shellcheck_finds_nothing():
    require("shellcheck")
    scripts = shell_scripts()
    assert len(scripts) >= 8
    done = subprocess.run(  # noqa: S603 - our own scripts
        ["shellcheck", *scripts],  # noqa: S607 - wherever it is
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", shell_scripts(), ids=lambda path: path.name)
def test_each_script_can_be_started_and_stops_at_errors(script):
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in script.read_text()


@pytest.mark.e2e
@pytest.mark.parametrize(
    "name", ["test_smoke_worker_queue.sh", "test_smoke_worker_queue_http.sh"]
)
def test_its_own_tests_pass(name):
    done = run(name)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("ok ") >= 15
    assert "FAIL " not in done.stdout


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    with (
        new_home() as home,
        Stack(
            free_place(home),
            environment=clean_environment() | OFFLINE,
            log_folder=tmp_path_factory.mktemp("logs"),
            durable=False,
        ) as stack,
    ):
        yield stack


@pytest.fixture
def stack(services):
    services.revive()
    services.wait_until_ready()
    return services


def smoke(stack, **settings):
    given = QUICK | {"API_BASE_URL": stack.place.url} | settings
    return run("smoke_worker_queue.sh", **given)


@pytest.mark.e2e
def test_a_pegasus_that_runs_passes(stack):
    done = smoke(stack)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("ok: the job completed\n")


@pytest.mark.e2e
def test_it_passes_again_and_again(stack):
    settings = {"SMOKE_LECTURE_ID": "smoke-again", "SMOKE_ACCEPT_FAILED_TERMINAL": "0"}
    assert [smoke(stack, **settings).returncode for _ in range(3)] == [0, 0, 0]


@pytest.mark.e2e
def test_a_worker_that_is_stopped_is_found_out(stack):
    stack.service("worker").kill()
    done = smoke(stack, SMOKE_TIMEOUT_SEC="2")
    assert done.returncode == 5, done.stderr
    assert "still queued after 2 s" in done.stderr


@pytest.mark.e2e
def test_an_api_that_is_stopped_is_found_out(stack):
    stack.service("api").kill()
    assert smoke(stack).returncode == 22


@pytest.mark.e2e
def test_a_preset_that_does_not_exist_is_told(stack):
    done = smoke(stack, SMOKE_PRESET_ID="none")
    assert done.returncode == 22
    assert "Invalid preset_id." in done.stderr


@pytest.mark.e2e
def test_jobs_inside_the_request_are_found_out(tmp_path):
    settings = {"PLC_INLINE_JOBS": "1", "PLC_WRITE_API_TOKEN": "letmein"}
    with (
        new_home() as home,
        Stack(
            free_place(home),
            environment=clean_environment() | OFFLINE | settings,
            log_folder=tmp_path,
            durable=False,
        ) as inline,
    ):
        assert smoke(inline).returncode == 22, "without the token"
        token = {"SMOKE_BEARER_TOKEN": "letmein"}
        assert smoke(inline, **token).returncode == 7
        done = smoke(inline, **token, SMOKE_REQUIRE_QUEUE_PATH="0")
        assert done.returncode == 0, done.stderr
