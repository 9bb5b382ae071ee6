"""One recording through the whole pipeline, before your eyes: ``scripts/demo``."""

import argparse
import io
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.errors import AppError
from common.local import demo_page
from common.local.client import ApiBroken, Client
from common.local.postgres import free_port
from common.local.processes import Stopped, stop_on_signals
from common.local.stack import Place, Stack, place_from

_SAMPLE = Path(__file__).parents[2] / "examples" / "how_vaccines_work.mp3"
_STAGES = {
    "transcription": "Transcribing",
    "generation": "Writing study material",
    "export": "Writing files",
}
# What an export is called for people, the best first; others keep their type's name.
_EXPORTS = {
    "pdf": "study-pack",
    "markdown": "study-pack",
    "apkg": "flashcards",
    "anki": "flashcards",
    "srt": "subtitles",
    "vtt": "subtitles",
}


class StageFailed(AppError):
    """A stage of the pipeline failed."""


@dataclass(frozen=True, slots=True)
class Demo:
    """One run: a recording, and the stack that works on it."""

    file: Path
    stack: Stack
    client: Client

    @property
    def lecture_id(self) -> str:
        """Made from the file's name: the same file gives the same lecture."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.file.stem.lower()).strip("-")
        return slug[:60].rstrip("-") or "lecture"

    @property
    def lecture_path(self) -> str:
        """Where the API has the lecture."""
        return f"/lectures/{quote(self.lecture_id)}"

    def upload(self) -> None:
        """Send the recording."""
        title = re.sub(r"[_\s-]+", " ", self.file.stem).strip() or self.lecture_id
        fields = {
            "course_id": "demo",
            "course_title": "Demo course",
            "lecture_id": self.lecture_id,
            "preset_id": "exam-mode",
            "title": title[0].upper() + title[1:],
        }
        self.client.ingest(self.file, fields)

    def order(self, verb: str) -> None:
        """Ask for the next stage: ``generate`` or ``export``."""
        self.client.post(f"{self.lecture_path}/{verb}", {})

    def attend(self, stage: str) -> None:
        """Show a bar until the stage has ended.

        Raises:
            StageFailed: with the reason that the API gives.
        """
        bar = demo_page.Bar(_STAGES[stage])
        for state in self.client.stages(self.lecture_id, stage):
            bar.show(state["progressPercent"])
            self.stack.revive()
        bar.close()
        if state["status"] == "failed":
            raise StageFailed(f"{_STAGES[stage]} failed: {state['error']}")

    def save(self, made: Mapping[str, Any], transcript: Any) -> list[Path]:  # noqa: ANN401
        """Download everything that was made; return where it is."""
        folder = self.stack.place.home / "demo" / self.lecture_id
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, bytes] = {}
        for kind, record in _best_first(made["exportRecords"]).items():
            name = _EXPORTS.get(kind, kind) + Path(record["storage_path"]).suffix
            address = f"/exports/{quote(self.lecture_id)}/{kind}"
            files[name] = self.client.download(address)
        documents = {"transcript": transcript, **made["artifacts"]}
        for kind, document in documents.items():
            text = json.dumps(document, indent=2, ensure_ascii=False)
            files[f"{kind}.json"] = text.encode()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return [folder / name for name in files]

    def addresses(self, made: Mapping[str, Any]) -> list[str]:
        """Return where the API has what was made."""
        artifacts = f"{self.lecture_path}/artifacts"
        exports = f"/exports/{quote(self.lecture_id)}"
        return [
            f"{self.lecture_path}/summary",
            *(f"{exports}/{kind}" for kind in _best_first(made["exportRecords"])),
            f"{self.lecture_path}/transcript",
            *(f"{artifacts}?artifact_type={kind}" for kind in made["artifacts"]),
        ]


def main() -> int:
    """Run the demo; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that knows no block signs
        sys.stdout.reconfigure(errors="replace")
    args = _arguments()
    here = Path(args.start).resolve()
    file = here / args.file if args.file else _SAMPLE
    if not file.is_file():
        print(f"There is no file {args.file}.", file=sys.stderr)
        return 2
    stop_on_signals()
    try:
        _run(file, here)
    except Stopped as exc:
        print("\nStopped.", file=sys.stderr)
        return 128 + exc.number
    except (AppError, OSError) as exc:
        print(f"\n{exc}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="Make study material from one recording."
    )
    parser.add_argument("file", nargs="?", help="audio or video; default: a sample")
    parser.add_argument("--from", dest="start", default=".", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(file: Path, here: Path) -> None:
    usual = place_from(os.environ)
    # Something else may use the usual ports.
    place = replace(usual, port=free_port(), worker_port=free_port())
    home = demo_page.seen_from(here, place.home)
    print(f"Starting database, task queue, worker and API in {home} ...", flush=True)
    token = os.environ.get("PLC_WRITE_API_TOKEN", "").strip()
    logs = place.home / "logs"
    with Stack(place, environment=_environment(file, usual), log_folder=logs) as stack:
        try:
            _make(Demo(file, stack, Client(place.url, token=token)), here, usual)
        except ApiBroken as exc:
            why = str(exc).rstrip(".")
            raise StageFailed(f"{why}. The logs are in {logs}.") from exc


def _environment(file: Path, usual: Place) -> Mapping[str, str]:
    """Return settings for this run: offline and free of charge unless asked otherwise.

    A key that happens to be in the environment must not cost anybody money.
    """
    offline = {
        "PLC_INGEST_TRANSCRIBE_PROVIDER": "pocketsphinx",
        "PLC_LLM_PROVIDER": "extractive",
        "PEGASUS_PUBLIC_URL": usual.url,  # for links inside what is made
        "PLC_MAX_AUDIO_UPLOAD_MB": str(200 + file.stat().st_size // 2**20),
    }
    return offline | dict(os.environ)


def _best_first(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the exports by type."""
    by_kind = {record["export_type"]: record for record in records}
    known = [kind for kind in _EXPORTS if kind in by_kind]
    return {kind: by_kind[kind] for kind in [*known, *by_kind]}


def _make(demo: Demo, here: Path, usual: Place) -> None:
    started = time.monotonic()
    size = demo.file.stat().st_size / 2**20
    print(f"Uploading {demo.file.name} ({size:.1f} MiB) ...", flush=True)
    demo.upload()
    demo.attend("transcription")
    transcript = demo.client.get(f"{demo.lecture_path}/transcript")
    if not transcript["segments"]:
        print("\nNobody speaks in this recording, so there is nothing to study.")
        return
    demo.order("generate")
    demo.attend("generation")
    demo.order("export")
    demo.attend("export")
    made = demo.client.get(f"{demo.lecture_path}/artifacts")
    files = demo.save(made, transcript)
    print(f"\nDone in {time.monotonic() - started:.0f} s.")
    demo_page.show_material(transcript, made["artifacts"])
    demo_page.show_files([demo_page.seen_from(here, file) for file in files])
    demo_page.show_addresses([usual.url + path for path in demo.addresses(made)])
    home = demo_page.seen_from(here, usual.home)
    print(f"\nNothing is left running; everything that was made stays in {home}.")


if __name__ == "__main__":
    sys.exit(main())
