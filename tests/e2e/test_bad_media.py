"""Files that were made to do harm, brought to both front doors of real processes.

Each is refused with our error document, or taken with a job that ends; nothing is left
of what was refused, nobody is called, and no process grows.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from common.local.stack import Stack
from tests.bad_media.bad import Bad, Fate
from tests.bad_media.corpus import FILES, corpus
from tests.bad_media.door import Door, Told, ingest, upload
from tests.e2e.machine import OFFLINE, clean_environment, free_place, new_home, wait_for
from tests.e2e.pegasus import Pegasus
from tests.e2e.slow_speech import SlowSpeech
from tests.loopback.openai_server import KEY

_MIB = 1024 * 1024
_AT_ONCE = 6  # as many clients
_MOST_SECONDS = 45  # for one file; the child that looks into it is ended after 20
_MOST_GROWTH = 200 * _MIB  # of a service; the hours of silence alone are a gigabyte
_LIVE = "select count(*) from jobs where state in ('queued', 'running', 'waiting')"
_JOBS = """
select subject, state, error_code from jobs
 where kind = 'transcription' and subject like 'lecture:%'"""
_KEPT = """
select object_key from recordings union select metadata_key from recordings"""
# Of what was taken: words, and for a day the pieces of a job that failed.
_OF_JOBS = ("transcripts/", "pieces/")

# Both ways look into a file alike, so a third of all and every odd name goes both.
DIRECTLY = tuple(
    bad
    for number, bad in enumerate(FILES)
    if number % 3 == 0 or bad.filename or bad.content_type
)
BROUGHT = (
    *(("ingest", bad) for bad in FILES),
    *(("upload", bad) for bad in DIRECTLY),
)


@dataclass
class Corpus:
    """What became of all files; ``told`` by way and file."""

    pegasus: Pegasus
    told: Mapping[tuple[str, Bad], Told]
    storage: Path
    temporary: Path
    growth: Mapping[str, int]  # bytes, by service
    callers: int
    asked: int  # paid calls

    @property
    def taken(self) -> dict[str, str]:
        """The lectures that came in, and by which file."""
        return {
            _lecture(way, bad): f"{way} {bad.label}"
            for (way, bad), told in self.told.items()
            if told.status == 200
        }


def _lecture(way: str, bad: Bad) -> str:
    return f"{way}-{FILES.index(bad):03}"


@contextmanager
def _listener() -> Iterator[tuple[int, list[object]]]:
    """Yield a port and who has called it."""
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:  # it was shut down
                    return
                callers.append(address)
                connection.close()

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield server.getsockname()[1], callers
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    """Bring every file, and wait until all that follows is over."""
    home, temporary = tmp_path_factory.mktemp("bad"), tmp_path_factory.mktemp("tmp")
    with (
        SlowSpeech() as speech,
        _listener() as (port, callers),
        new_home() as folder,
        Stack(
            free_place(folder),
            environment=_environment(speech.url, temporary),
            log_folder=tmp_path_factory.mktemp("logs"),
            durable=False,
        ) as stack,
    ):
        pegasus = Pegasus(stack)
        places = corpus(home, listener_port=port)
        before = {name: _peak(pegasus, name) for name in ("api", "worker")}
        told = _bring(pegasus, places)
        wait_for(lambda: pegasus.rows(_LIVE) == [(0,)], seconds=120)
        pegasus.sweep()
        growth = {name: _peak(pegasus, name) - was for name, was in before.items()}
        storage = folder / "storage"
        asked = len(speech.asked)
        yield Corpus(pegasus, told, storage, temporary, growth, len(callers), asked)


def _environment(speech_url: str, temporary: Path) -> dict[str, str]:
    settings = {
        "OPENAI_BASE_URL": speech_url,
        "OPENAI_API_KEY": KEY,
        "PLC_INGEST_TRANSCRIBE_PROVIDER": "openai",
        "TMPDIR": str(temporary),
    }
    clean: dict[str, str] = clean_environment()
    return clean | OFFLINE | settings


def _bring(pegasus: Pegasus, places: Mapping[Bad, Path]) -> dict[tuple[str, Bad], Told]:
    ways = {"ingest": ingest, "upload": upload}

    def one(which: tuple[str, Bad]) -> Told:
        way, bad = which
        door = Door(pegasus.stack.place.url, ways[way])
        return door.bring(bad, places[bad], _lecture(way, bad))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(BROUGHT, pool.map(one, BROUGHT), strict=True))


def _processes(pegasus: Pegasus, name: str) -> list[psutil.Process]:
    return list(psutil.Process(pegasus.stack.service(name).pid).children())


def _peak(pegasus: Pegasus, name: str) -> int:
    """Return the most memory that a service's processes ever had, in bytes."""
    peaks = [
        Path(f"/proc/{one.pid}/status").read_text().partition("VmHWM:")[2].split()[0]
        for one in _processes(pegasus, name)
    ]
    return sum(map(int, peaks)) * 1024


def test_the_corpus_is_large_and_every_file_has_a_name():
    assert len(FILES) >= 200, f"{len(FILES)} files"
    assert len({bad.label for bad in FILES}) == len(FILES)
    assert sum(bad.fate == Fate.REFUSED for bad in FILES) >= 100
    assert len(DIRECTLY) >= 100


@pytest.mark.parametrize(
    ("way", "bad"), BROUGHT, ids=[f"{way} {bad.label}" for way, bad in BROUGHT]
)
def test_a_bad_file_is_refused_with_a_reason_or_taken_for_what_is_in_it(
    brought, way, bad
):
    told = brought.told[way, bad]
    assert told.seconds < _MOST_SECONDS
    if told.status == 200:
        assert bad.fate == Fate.TAKEN
        return
    assert told.status in (400, 409, 413, 422), told.text
    assert told.code not in ("", "internal_error"), told.text
    assert "root:" not in told.text


def test_what_was_taken_ends_with_words_or_with_a_code(brought):
    ends = {
        subject.removeprefix("lecture:"): (state, code)
        for subject, state, code in brought.pegasus.rows(_JOBS)
    }
    assert ends.keys() == brought.taken.keys()
    assert {
        (brought.taken[lecture], state, code)
        for lecture, (state, code) in ends.items()
        if not (state == "succeeded" or code not in (None, "", "internal_error"))
    } == set()
    late = {code for state, code in ends.values() if state == "failed"}
    assert "media_truncated" in late  # what the door does not look at


def test_what_was_refused_leaves_no_row(brought):
    lectures = {row[0] for row in brought.pegasus.rows("select id from lectures")}
    assert lectures == brought.taken.keys()
    [[recordings]] = brought.pegasus.rows("select count(*) from recordings")
    assert recordings == len(lectures)


def test_what_was_refused_leaves_no_file(brought):
    kept = {row[0] for row in brought.pegasus.rows(_KEPT)}
    files = {
        str(path.relative_to(brought.storage))
        for path in brought.storage.rglob("*")
        if path.is_file()
    }
    assert {name for name in files - kept if not name.startswith(_OF_JOBS)} == set()
    assert kept - files == set()
    assert [path.name for path in brought.temporary.rglob("*")] == []


def test_nobody_pays_for_what_was_refused(brought):
    paid = brought.pegasus.rows(
        "select distinct coalesce(p.subject, j.subject) from usage_ledger u"
        " join jobs j on j.id = u.job_id left join jobs p on p.id = j.parent_id"
    )
    subjects = {row[0].removeprefix("lecture:") for row in paid}
    assert subjects <= brought.taken.keys()
    [[entries]] = brought.pegasus.rows("select count(*) from usage_ledger")
    assert 0 < brought.asked == entries


def test_no_playlist_was_followed(brought):
    assert brought.callers == 0


@pytest.mark.parametrize("service", ["api", "worker"])
def test_memory_is_bounded_whatever_was_brought(brought, service):
    assert brought.growth[service] < _MOST_GROWTH


@pytest.mark.parametrize("service", ["api", "worker"])
def test_the_services_live_and_hold_nothing_open(brought, service):
    processes = _processes(brought.pegasus, service)
    assert len(processes) == 1
    assert processes[0].children() == []
    names = [file.path for file in processes[0].open_files()]
    assert [name for name in names if name.startswith(str(brought.storage))] == []
    assert "Traceback" not in brought.pegasus.logged(service)
