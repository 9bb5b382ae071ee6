"""Commands that somebody copies at night must be there, and so must what they name."""

import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from werkzeug.exceptions import HTTPException

from common.settings import Settings

ROOT = Path(__file__).parents[2]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
every_runbook = pytest.mark.parametrize("book", RUNBOOKS, ids=lambda path: path.stem)
# Set by whoever follows the runbook.
THEIRS = {
    *("PROJECT", "REGION", "BACKUP"),
    *("API_BASE_URL", "INSTANCE", "BACKUP_BUCKET", "MOMENT", "LECTURE_ID", "JOB_ID"),
}


def blocks(book, language):
    found = re.findall(
        rf"^ *```{language}\n(.*?)^ *```", book.read_text(), re.MULTILINE | re.DOTALL
    )
    return [re.sub(r"\\\n\s*", "", block) for block in found]


def commands(book):
    return "\n".join(blocks(book, "bash"))


def variables():
    return {str(f.validation_alias) for f in Settings.model_fields.values()}


def test_the_runbooks_that_operators_know_are_there():
    names = {book.stem for book in RUNBOOKS}
    assert names >= {
        "backup-restore",
        "migration-rollback",
        "dead-letter-queue",
        "incident-response",
        "alerting",
    }


@every_runbook
def test_bash_can_read_every_command(book):
    done = subprocess.run(
        ["bash", "-n"],  # noqa: S607 - wherever it is
        input=commands(book),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@every_runbook
def test_scripts_and_modules_are_there(book):
    text = book.read_text()
    for script in re.findall(r"\bscripts/[\w.]+", text):
        assert (ROOT / script).is_file(), script
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert find_spec(module), module


@every_runbook
def test_every_path_has_a_route(book, api):
    adapter = api.application.url_map.bind("localhost")
    text = book.read_text()
    asked = [
        ("GET", p) for p in re.findall(r'\$API_BASE_URL(/[^"\s]+)', commands(book))
    ]
    asked += re.findall(r"`(GET|POST|DELETE) (/(?!schedules)[^`]+)`", text)
    for method, path in asked:
        plain = re.sub(r"[${}]", "", path.partition("?")[0])
        with_method = "POST" if "replay" in plain else method
        try:
            adapter.match(plain, method=with_method)
        except HTTPException:
            pytest.fail(f"{with_method} {plain}")


@every_runbook
def test_variables_exist(book):
    known = variables() | THEIRS
    for name in re.findall(r"\$\{?([A-Z_]+)", commands(book)):
        assert name in known, name
    for name in re.findall(r"`((?:PLC|PEGASUS)_[A-Z_]+)`", book.read_text()):
        assert name in known, name


@every_runbook
def test_links_lead_somewhere(book):
    for target in re.findall(r"\]\(([^)#]+)\)", book.read_text()):
        assert (book.parent / target).exists(), target
    for name in re.findall(r"`((?:docs/)?[\w/-]+\.md)`", book.read_text()):
        assert (ROOT / name).exists(), name


def test_alerts_ask_for_series_that_are_given(api, db):
    from tests.api.test_metrics import end, parse  # noqa: PLC0415

    end(db, "succeeded", seconds=1)
    types, _ = parse(api.get("/ops/metrics/prometheus").text)
    text = (ROOT / "docs" / "runbooks" / "alerting.md").read_text()
    asked = set(re.findall(r"pegasus_[a-z_]+", text))
    assert asked <= types.keys()
    assert {name.removesuffix("_max") for name in types} <= {
        name.removesuffix("_max") for name in asked
    } | {"pegasus_job_latency_ms", "pegasus_job_latency_ms_count"}


def test_error_texts_of_dead_letters_are_ours():
    sources = "\n".join(
        path.read_text()
        for folder in ("common", "worker_service")
        for path in (ROOT / folder).rglob("*.py")
    )
    text = (ROOT / "docs" / "runbooks" / "dead-letter-queue.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| `")]
    quoted = [error for line in table for error in re.findall(r"`([^`]+)`", line)[:1]]
    assert len(quoted) >= 4
    for error in quoted:
        beginning = re.split(r"[…(]", error)[0].strip()
        assert beginning in sources, error


def test_a_command_can_be_split_as_a_shell_does():
    for book in RUNBOOKS:
        for line in commands(book).splitlines():
            if line.startswith(("curl", "gcloud", "pg_", "tar", "psql")):
                assert len(shlex.split(line, comments=True)) > 1, line
