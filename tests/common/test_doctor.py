"""The doctor: what it says of a configuration, and what its status tells scripts."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from common import budget, doctor
from common.doctor.__main__ import main
from common.providers import catalog
from tests.contract.models import settings_of

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)
OF_SETTINGS = {**doctor.CONFIGURATION, "spending": doctor.PARTS["spending"]}
KEYS = {
    "OPENAI_API_KEY": "sk-test",
    "GEMINI_API_KEY": "key",
    "GOOGLE_CLOUD_PROJECT": "project",
}


@pytest.fixture
def examine(deps):
    """Have settings examined; return texts by level, of one check or of all."""

    def report(check=None, today=TODAY, **values):
        examined = deps.__class__(**{**fields(deps), "settings": settings_of(**values)})
        found: dict[str, list[str]] = {"ok": [], "note": [], "problem": []}
        for name, finding in doctor.examine(examined, today, OF_SETTINGS):
            if check in (None, name):
                found[finding.level].append(finding.text)
        return found

    return report


def fields(deps):
    return {name: getattr(deps, name) for name in deps.__slots__}


def test_nothing_is_wrong_with_the_defaults(examine):
    found = examine()
    assert (found["problem"], found["note"]) == ([], [])
    assert "speech: provider 'pocketsphinx' has what it needs." in found["ok"]


@pytest.mark.parametrize("llm", ["openai", "gemini", "vertex"])
@pytest.mark.parametrize("speech", ["openai", "google"])
def test_nothing_is_wrong_with_the_default_models(examine, speech, llm):
    found = examine(
        PLC_LLM_PROVIDER=llm,
        PLC_INGEST_TRANSCRIBE_PROVIDER=speech,
        PEGASUS_DAILY_BUDGET_USD="5",
        **KEYS,
    )
    assert (found["problem"], found["note"]) == ([], [])
    assert len([text for text in found["ok"] if "no announced end" in text]) == 2


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"PLC_LLM_PROVIDER": "gemini"}, "study material: Provider 'gemini' is not"),
        ({"PLC_LLM_PROVIDER": "vertex"}, "set GOOGLE_CLOUD_PROJECT"),
        ({"PLC_LLM_PROVIDER": "claude"}, "Unsupported LLM provider: claude"),
        ({"PLC_INGEST_TRANSCRIBE_PROVIDER": "openai"}, "speech: Provider 'openai' is"),
        ({"PLC_INGEST_TRANSCRIBE_PROVIDER": "google"}, "set GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_what_is_missing_is_a_problem(examine, values, text):
    [problem] = examine("keys", **values)["problem"]
    assert text in problem


@pytest.mark.parametrize(
    ("today", "level", "text"),
    [
        (date(2026, 9, 1), "note", "in 91 days"),
        (date(2026, 10, 2), "note", "in 60 days"),
        (date(2026, 10, 3), "problem", "in 59 days"),
        (date(2026, 12, 1), "problem", "in 0 days"),
        (date(2026, 12, 2), "problem", "ended on 2026-12-01"),
    ],
)
def test_an_end_that_is_near_is_a_problem(examine, today, level, text):
    values = {"PLC_LLM_PROVIDER": "gemini", "PLC_LLM_MODEL": "gemini-2.5-flash"}
    found = examine("retirement", today, **values)
    [line] = found[level]
    assert text in line
    assert "study material: gemini/gemini-2.5-flash" in line
    assert "2026-12-01" in line
    assert "use gemini-3.5-flash-lite instead" in line


def test_speech_and_chat_are_examined_as_well(examine):
    found = examine(
        "retirement",
        date(2027, 1, 10),
        PLC_INGEST_TRANSCRIBE_MODEL="whisper-1",
        PLC_CHAT_MODEL="gpt-4o",
        **KEYS,
    )
    assert [line.partition(" ends")[0] for line in found["problem"]] == [
        "speech: openai/whisper-1",
        "chat: openai/gpt-4o",
    ]
    assert f"use {catalog.DEFAULT_SPEECH_MODEL} instead" in found["problem"][0]


def test_a_model_that_nobody_knows_is_noted(examine):
    values = {"PLC_LLM_PROVIDER": "openai", "PLC_LLM_MODEL": "llama"}
    [note] = examine("models", **values)["note"]
    assert "openai/llama is unknown" in note


def test_a_model_of_another_vendor_is_a_problem(examine):
    values = {"PLC_LLM_PROVIDER": "vertex", "PLC_LLM_MODEL": "gpt-4o"}
    [problem] = examine("models", **values)["problem"]
    assert "vertex/gpt-4o is a model of 'openai'" in problem


@pytest.mark.parametrize(
    ("limit", "level"), [({}, "note"), ({"PEGASUS_DAILY_BUDGET_USD": "1"}, "problem")]
)
def test_an_unknown_price_matters_when_there_is_a_budget(examine, limit, level):
    values = {"PLC_LLM_PROVIDER": "openai", "PLC_LLM_MODEL": "gpt-5.4"}
    [line] = examine("prices", **values, **limit)[level]
    assert "openai/gpt-5.4 has no known price" in line


def spend(db, dollars):
    with db.begin() as session:
        budget.settle(session, None, round(dollars * 1_000_000))


def test_what_today_has_cost_is_told(examine, db):
    spend(db, 1.234)
    assert examine("spending")["ok"] == [
        "Today has cost 1.23 US dollars; there is no limit."
    ]


@pytest.mark.parametrize(("dollars", "level"), [(1.99, "ok"), (2, "problem")])
def test_a_budget_that_is_used_up_is_a_problem(examine, db, dollars, level):
    spend(db, dollars)
    [line] = examine("spending", PEGASUS_DAILY_BUDGET_USD="2")[level]
    assert "of 2.00 at most" in line


def run(database_url, *arguments, **values):
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "common.doctor", *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "PEGASUS_INTERNAL_SECRET": "s" * 32,
            **values,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_scripts_learn_from_the_status_that_somebody_must_act(database_url, tmp_path):
    folder = {"PLC_STORAGE_DIR": str(tmp_path)}
    done = run(database_url, PLC_LLM_PROVIDER="gemini", GOOGLE_API_KEY="", **folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "problem keys        study material: Provider 'gemini'" in done.stdout


def test_a_database_that_is_away_is_a_finding_not_a_crash(tmp_path):
    folder = {"PLC_STORAGE_DIR": str(tmp_path / "storage")}
    done = run("postgresql://nobody:secret@127.0.0.1:1/none", **folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "The database at 127.0.0.1:1 does not answer" in done.stdout
    assert "What today has cost cannot be read" in done.stdout
    assert "secret@" not in done.stdout


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://a", "http://", "http://a:b"])
def test_scripts_learn_from_the_status_that_they_asked_wrongly(capsys, url):
    with pytest.raises(SystemExit) as ended:
        main(["--url", url])
    assert ended.value.code == 2
    assert "--url must be" in capsys.readouterr().err
