"""python -m common.local.demo, as scripts/demo calls it."""

import json
import signal

import pytest

from common.local.postgres import EmbeddedPostgres
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


def listed(out: str, heading: str) -> list[str]:
    """Return the lines of one section of what was printed."""
    _, _, section = out.partition(f"\n{heading}\n")
    return [line.strip() for line in section.partition("\n\n")[0].splitlines()[1:]]


def test_a_recording_becomes_files_and_nothing_is_left_running(home, spoken):
    file = spoken("Short Talk.mp3", 12)
    near = ("--from", str(file.parent), file.name)  # where the person is
    for call in ((str(file),), near):  # a second run is no different
        with Program(_DEMO, *call, home=home) as demo:
            assert demo.exit_status() == 0, demo.errors
            demo.leaves_nothing()
            out = demo.out

        assert "Transcribing            ██████████████████████████████ 100 %" in out
        for heading in ("Transcript (3 of", "Summary", "Flashcards", "Exam questions"):
            assert f"\n{heading}" in out
        folder = home / "demo" / "short-talk"
        assert set(listed(out, "Your files")) == {str(folder / n) for n in _FILES}
        assert {path.name for path in folder.iterdir()} == _FILES
        transcript = json.loads((folder / "transcript.json").read_text())
        assert transcript["segments"][0]["text"] == "Welcome to this lecture."


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
