"""python -m common.local.demo, as scripts/demo calls it."""

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.local.client import Client
from common.local.postgres import EmbeddedPostgres, free_port
from tests.e2e.machine import new_home
from tests.e2e.program import Program

_DEMO = "common.local.demo"
_FILES = {
    "exam-questions.json",
    "flashcards.apkg",
    "flashcards.csv",
    "flashcards.json",
    "key-terms.json",
    "outline.json",
    "study-pack.md",
    "study-pack.pdf",
    "subtitles.srt",
    "subtitles.vtt",
    "summary.json",
    "transcript.json",
}


@dataclass(frozen=True)
class Run:
    """A demo that has ended well."""

    home: Path
    file: Path
    port: int
    out: str

    def listed(self, heading: str) -> list[str]:
        """Return the lines of one section of what was printed."""
        _, _, rest = self.out.partition(f"\n{heading}\n")
        return [line.strip() for line in rest.partition("\n\n")[0].splitlines()[1:]]


@pytest.fixture(scope="module")
def run(spoken):
    file, port = spoken("Short Talk.mp3", 12), free_port()
    with new_home() as home:
        with Program(_DEMO, str(file), home=home, PORT=str(port)) as demo:
            assert demo.exit_status() == 0, demo.errors
            out = demo.out
        yield Run(home, file, port, out)


def test_a_recording_becomes_study_material(run):
    assert "Transcribing            ██████████████████████████████ 100 %" in run.out
    for heading in ("Transcript (3 of", "Summary", "Flashcards", "Exam questions"):
        assert f"\n{heading}" in run.out
    assert "\n  0:00  Welcome to this lecture.\n" in run.out


def test_every_file_is_where_it_is_said_to_be(run):
    folder = run.home / "demo" / "short-talk"
    found = {path.name for path in folder.iterdir()}
    assert found >= _FILES
    said = [line for line in run.listed("Your files") if line]
    assert set(said) == {str(folder / name) for name in found}
    assert (folder / "study-pack.pdf").read_bytes().startswith(b"%PDF")


def test_every_address_answers_once_dev_runs(run):
    ports = {"PORT": str(run.port), "WORKER_PORT": str(free_port())}
    urls = run.listed("The same over HTTP, whenever scripts/dev runs")
    assert len(urls) == 1 + len(run.listed("Your files"))  # and the lecture itself
    with Program("common.local.dev", home=run.home, **ports) as dev:
        dev.shows("ready: ")
        for url in urls:
            Client(url).download(url.removeprefix(f"http://127.0.0.1:{run.port}"))


def test_a_second_run_is_like_the_first_wherever_the_person_is(run):
    near = ("--from", str(run.file.parent), run.file.name)
    with Program(_DEMO, *near, home=run.home) as demo:
        assert demo.exit_status() == 0, demo.errors
        demo.leaves_nothing()
        assert "Exam questions" in demo.out


def test_a_file_that_is_not_there_is_a_mistake_in_the_call(home):
    with Program(_DEMO, "nowhere.mp3", home=home) as demo:
        assert demo.exit_status() == 2
        assert demo.errors == "There is no file nowhere.mp3.\n"


def test_a_file_that_is_no_recording_is_refused_with_the_reason(home, tmp_path):
    file = tmp_path / "letter.wav"
    file.write_text("Dear reader, this is not a sound.\n" * 20)
    with Program(_DEMO, str(file), home=home) as demo:
        assert demo.exit_status() == 1
        assert demo.errors == "\nThe file is not a recording that can be decoded.\n"
        demo.leaves_nothing()


def test_a_home_that_is_in_use_is_named_with_what_to_do(home):
    with EmbeddedPostgres().start(home) as other, Program(_DEMO, home=home) as demo:
        assert demo.exit_status() == 1
        assert demo.errors == (
            f"\nPegasus is already running in {home}"
            f" (its database has the pid {other.pid})."
            " Stop it first, or set PEGASUS_HOME to another folder.\n"
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_stops_everything(home, number):
    with Program(_DEMO, home=home) as demo:
        demo.shows("Transcribing")
        demo.send(number)
        assert demo.exit_status() == 128 + number
        assert demo.errors == "\nStopped.\n"
        demo.leaves_nothing()


def test_a_setting_that_is_wrong_is_named(home):
    with Program(_DEMO, home=home, PLC_MAX_PDF_UPLOAD_MB="many") as demo:
        assert demo.exit_status() == 1
        assert "- PLC_MAX_PDF_UPLOAD_MB must be an integer." in demo.errors
        demo.leaves_nothing()
