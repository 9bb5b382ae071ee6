"""Log lines, as Cloud Logging and people's tools read them."""

import io
import json
import logging
import sys
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest

from common import logs


@pytest.fixture
def log():
    """A logger of its own and the lines it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    logger: Any = logging.Logger("a.part", logging.DEBUG)  # noqa: LOG001 - not shared
    logger.addHandler(handler)
    logger.lines = lambda: [
        json.loads(line) for line in stream.getvalue().split("\n")[:-1]
    ]
    return logger


def test_a_line_has_what_cloud_logging_looks_for(log):
    before = datetime.now(UTC)
    log.warning("job.%s", "lost")
    [line] = log.lines()
    assert list(line) == ["severity", "message", "logger", "timestamp"]
    assert (line["severity"], line["message"]) == ("WARNING", "job.lost")
    assert line["logger"] == "a.part"
    assert line["timestamp"].endswith("+00:00")
    assert before <= datetime.fromisoformat(line["timestamp"]) <= datetime.now(UTC)


def test_extra_fields_stand_beside_the_message(log):
    log.info("job.updated", extra={"job_id": "1", "attempt": 2, "tags": ["a"]})
    [line] = log.lines()
    assert (line["job_id"], line["attempt"], line["tags"]) == ("1", 2, ["a"])


def test_what_json_does_not_know_is_written_as_text(log):
    log.info("odd", extra={"at": datetime(2026, 1, 1, tzinfo=UTC), "kind": ValueError})
    [line] = log.lines()
    assert line["at"] == "2026-01-01 00:00:00+00:00"
    assert "ValueError" in line["kind"]


@pytest.mark.parametrize(
    "text", ["a\nb", 'say "hi"', "grün 漢", "\x1b[31m", "\u2028", "\0"]
)
def test_any_text_stays_on_one_line(log, text):
    log.info(text, extra={"field": text})
    [line] = log.lines()
    assert line["message"] == line["field"] == text


def test_an_exception_is_part_of_its_line(log):
    try:
        dict[str, str]()["nothing"]
    except KeyError:
        log.exception("unexpected")
    [line] = log.lines()
    assert line["severity"] == "ERROR"
    assert line["exception"].startswith("Traceback")
    assert "KeyError: 'nothing'" in line["exception"]


def test_bound_fields_are_on_every_line_inside_the_block(log):
    with logs.bind(request_id="r"):
        log.info("one")
        with logs.bind(job_id="j"):
            log.info("two")
        log.info("three")
    log.info("four")
    found = [(line.get("request_id"), line.get("job_id")) for line in log.lines()]
    assert found == [("r", None), ("r", "j"), ("r", None), (None, None)]


def test_the_inner_binding_wins_and_extra_wins_over_both(log):
    with logs.bind(name_="outer"), logs.bind(name_="inner"):
        log.info("one")
        log.info("two", extra={"name_": "extra"})
    assert [line["name_"] for line in log.lines()] == ["inner", "extra"]


def test_a_block_that_fails_is_left_too(log):
    with pytest.raises(ValueError, match="x"), logs.bind(request_id="r"):
        raise ValueError("x")
    log.info("after")
    assert "request_id" not in log.lines()[0]


def test_another_threads_fields_are_not_on_our_lines(log):
    with logs.bind(request_id="ours"):
        thread = Thread(target=log.info, args=("theirs",))
        thread.start()
        thread.join()
    assert "request_id" not in log.lines()[0]


@pytest.fixture
def configured(monkeypatch):
    """The process's logging as a service configures it, put back afterwards."""
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root.handlers.clear()
    logs.configure()
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def test_a_service_logs_json_from_info_upwards(configured):
    logging.getLogger("x").debug("hidden")
    logging.getLogger("x").info("shown")
    logging.getLogger("alembic").info("hidden")
    [line] = configured.getvalue().splitlines()
    assert json.loads(line)["message"] == "shown"
