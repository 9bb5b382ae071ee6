"""One recording through the whole pipeline, before your eyes: ``scripts/demo``."""

import argparse
import os
import re
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import AppError
from common.local.client import Client
from common.local.postgres import free_port
from common.local.stack import Place, Stack, place_from

_SAMPLE = Path(__file__).parents[2] / "examples" / "how_vaccines_work.mp3"
_STAGES = {
    "transcription": "Transcribing",
    "generation": "Writing study material",
    "export": "Writing files",
}
_WIDTH = 88
_BAR = 30
_CARDS = 3


class StageFailed(AppError):
    """A stage of the pipeline failed."""


def main() -> int:
    """Run the demo; return the exit status."""
    args = _arguments()
    file = (Path(args.start) / args.file).resolve() if args.file else _SAMPLE
    if not file.is_file():
        print(f"There is no file {file}.", file=sys.stderr)
        return 2
    place = _place()
    print(f"Starting PostgreSQL, worker and API in {place.home} ...", flush=True)
    try:
        with Stack(
            place,
            environment=_environment(file),
            log_folder=place.home / "logs",
        ):
            _run(Client(place.url), file, place)
    except AppError as exc:
        print(f"\n{exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="Make study material from one recording."
    )
    parser.add_argument("file", nargs="?", help="audio or video; default: a sample")
    parser.add_argument("--from", dest="start", default=".", help=argparse.SUPPRESS)
    return parser.parse_args()


def _place() -> Place:
    """Return the usual place, on free ports: something else may use the usual ones."""
    usual = place_from(os.environ)
    return Place(usual.home, free_port(), free_port(), usual.queue_port)


def _environment(file: Path) -> Mapping[str, str]:
    """Return settings for this run: offline and free of charge unless asked otherwise.

    A key that happens to be in the environment must not cost anybody money.
    """
    offline = {
        "PLC_INGEST_TRANSCRIBE_PROVIDER": "pocketsphinx",
        "PLC_LLM_PROVIDER": "extractive",
        "PEGASUS_PUBLIC_URL": "http://127.0.0.1:8080",
        "PLC_MAX_AUDIO_UPLOAD_MB": str(200 + file.stat().st_size // 2**20),
    }
    return offline | dict(os.environ)


def _run(client: Client, file: Path, place: Place) -> None:
    lecture_id = _slug(file.stem)
    started = time.monotonic()
    print(f"Uploading {file.name} ({file.stat().st_size / 2**20:.1f} MiB) ...")
    client.ingest(file, _fields(file, lecture_id))
    _attend(client, lecture_id, "transcription")
    transcript = client.get(f"/lectures/{lecture_id}/transcript")
    if not transcript["segments"]:
        print("\nNobody speaks in this recording, so there is nothing to study.")
        return
    client.post(f"/lectures/{lecture_id}/generate", {})
    _attend(client, lecture_id, "generation")
    client.post(f"/lectures/{lecture_id}/export", {})
    _attend(client, lecture_id, "export")
    print(f"\nDone in {time.monotonic() - started:.0f} s.")
    made = client.get(f"/lectures/{lecture_id}/artifacts")
    _show_material(made["artifacts"])
    _show_places(made, transcript, place)


def _fields(file: Path, lecture_id: str) -> dict[str, str]:
    title = re.sub(r"[_\s-]+", " ", file.stem).strip() or lecture_id
    return {
        "course_id": "demo",
        "course_title": "Demo course",
        "lecture_id": lecture_id,
        "preset_id": "exam-mode",
        "title": title[0].upper() + title[1:],
    }


def _slug(name: str) -> str:
    """Return an id made from a file's name; the same file gives the same lecture."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "lecture"


def _attend(client: Client, lecture_id: str, stage: str) -> None:
    """Show a bar until the stage has ended.

    Raises:
        StageFailed: with the reason that the API gives.
    """
    label = _STAGES[stage]
    shown = ""
    for state in client.stages(lecture_id, stage):
        done = state["progressPercent"] * _BAR // 100
        bar = "█" * done + "░" * (_BAR - done)
        line = f"{label:<24}{bar} {state['progressPercent']:>3} %"
        if line != shown:
            print(f"\r{line}" if sys.stdout.isatty() else line, end="", flush=True)
            print(end="" if sys.stdout.isatty() else "\n")
            shown = line
    if sys.stdout.isatty():
        print()
    if state["status"] == "failed":
        raise StageFailed(f"{label} failed: {state['error']}")


def _show_material(artifacts: Mapping[str, Any]) -> None:
    summary = artifacts["summary"]
    engine = summary["engine"]
    _heading(f"Summary (by {engine['provider']}, {engine['model']})")
    _paragraph(summary["overview"])
    for section in summary["sections"]:
        print(f"\n  {section['title']}")
        for bullet in section["bullets"]:
            _paragraph(bullet, first="  · ", rest="    ")
    _heading(
        f"Flashcards ({len(artifacts['flashcards']['cards'])}, the first {_CARDS})"
    )
    for card in artifacts["flashcards"]["cards"][:_CARDS]:
        _paragraph(card["front"], first="  Q ", rest="    ")
        _paragraph(card["back"], first="  A ", rest="    ")
        print()
    questions = artifacts["exam-questions"]["questions"]
    _heading(f"Exam questions ({len(questions)}, the first)")
    _show_question(questions[0])


def _show_question(question: Mapping[str, Any]) -> None:
    _paragraph(question["prompt"], first="  ", rest="  ")
    for letter, choice in zip("ABCDEFGH", question.get("choices") or (), strict=False):
        _paragraph(choice, first=f"    {letter}) ", rest="       ")
    _paragraph(question["answer"], first="  Answer: ", rest="          ")


def _show_places(
    made: Mapping[str, Any], transcript: Mapping[str, Any], place: Place
) -> None:
    lecture_id = made["lectureId"]
    _heading("Where everything is")
    rows = {
        "transcript": (
            transcript["transcriptPath"],
            f"/lectures/{lecture_id}/transcript",
        ),
    }
    for name, path in made["artifactPaths"].items():
        rows[name] = (path, f"/lectures/{lecture_id}/artifacts?artifact_type={name}")
    for record in made["exportRecords"]:
        name = record["export_type"]
        rows[name] = (record["storage_path"], f"/exports/{lecture_id}/{name}")
    for name, (path, url) in rows.items():
        print(f"  {name:<15}{_short(path)}\n{'':<17}http://127.0.0.1:8080{url}")
    print(
        "\nNothing is left running. The URLs answer once you start scripts/dev;"
        f"\nall data is in {_short(str(place.home))}."
    )


def _short(path: str) -> str:
    """Return a path as seen from here, when it is below."""
    here = Path.cwd()
    found = Path(path)
    return str(found.relative_to(here)) if found.is_relative_to(here) else path


def _heading(text: str) -> None:
    print(f"\n{text}\n{'─' * len(text)}")


def _paragraph(text: str, *, first: str = "  ", rest: str = "  ") -> None:
    print(textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=rest))


if __name__ == "__main__":
    sys.exit(main())
