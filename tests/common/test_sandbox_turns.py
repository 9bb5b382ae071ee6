"""Files are looked into by a few children at a time, whoever sends how many."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest

from common import sandbox
from common.documents.__main__ import _MEMORY_BYTES as DOCUMENT_BYTES
from common.documents.check import check as check_document
from common.media.__main__ import _MEMORY_BYTES as MEDIA_BYTES
from common.media.check import check_open
from common.media.films.__main__ import _MEMORY_BYTES as FILM_BYTES
from common.media.films.check import check as check_film
from common.models import Lecture
from tests.api.test_uploads import count
from tests.common.test_serving import Reads, Stream
from tests.conftest import spoken_wav
from tests.sending import sent

SOUND = spoken_wav(0.5)
GIB = 1 << 30
ROOM_BYTES = GIB // 2  # of the API itself, and of files that are on their way


@pytest.fixture
def crowd(monkeypatch):
    """Take all places; return what gives them back."""
    monkeypatch.setattr(sandbox, "_TURN_SECONDS", 0.05)
    with ExitStack() as places:
        for _ in range(sandbox._TOGETHER):  # noqa: SLF001
            places.enter_context(sandbox.turn())
        yield places


class Slow:
    """A recording that is read when the test says so; counts who has begun."""

    def __init__(self):
        self.begun, self.most, self.lock = 0, 0, Lock()
        self.full, self.go_on = Event(), Event()

    def looked_into(self, _number):
        outer = self

        class Held(Reads):
            def read(self, size=-1):
                outer.begin(self)
                return super().read(size)

        held: Any = Held(SOUND)
        held.waiting = True
        facts = check_open(held)
        with self.lock:
            self.begun -= 1
        return facts.codec

    def begin(self, held):
        if not held.waiting:
            return
        held.waiting = False
        with self.lock:
            self.begun += 1
            self.most = max(self.most, self.begun)
            if self.begun == sandbox._TOGETHER:  # noqa: SLF001
                self.full.set()
        assert self.go_on.wait(10)


def test_no_more_than_two_files_are_looked_into_at_a_time():
    slow = Slow()
    with ThreadPoolExecutor(5) as pool:
        found = [pool.submit(slow.looked_into, number) for number in range(5)]
        assert slow.full.wait(10)
        assert slow.most == 2
        slow.go_on.set()
        assert {one.result() for one in found} == {"pcm_s16le"}
    assert slow.most == 2


@pytest.mark.parametrize("look", [check_open, check_document, check_film])
def test_who_finds_no_place_is_told_to_come_again(crowd, look):
    with pytest.raises(sandbox.Crowded) as told:
        look(Stream(SOUND))
    assert told.value.status == 503
    assert told.value.retry_after_seconds


def test_an_ingest_that_finds_no_place_leaves_nothing(crowd, ingest, db, storage_dir):
    refused = ingest()
    assert (refused.status_code, refused.json["error"]["code"]) == (503, "checks_busy")
    assert int(refused.headers["Retry-After"]) > 0
    assert count(db, Lecture) == 0
    assert not [path for path in storage_dir.rglob("*") if path.is_file()]
    crowd.close()
    ingest()
    assert count(db, Lecture) == 1


def test_an_upload_that_finds_no_place_can_be_completed_later(crowd, api):
    upload = sent(api, SOUND)
    refused = upload.complete()
    assert (refused.status_code, refused.json["error"]["code"]) == (503, "checks_busy")
    crowd.close()
    assert upload.complete().status_code == 200


def test_a_place_comes_free_whatever_happens(crowd):
    crowd.close()
    for _ in range(sandbox._TOGETHER + 1):  # noqa: SLF001
        with pytest.raises(RuntimeError), sandbox.turn():
            raise RuntimeError


def test_all_that_are_looked_into_fit_into_the_container():
    terraform = (Path(__file__).parents[2] / "terraform" / "api.tf").read_text()
    [gib] = re.findall(r'^  memory +=? *"(\d+)Gi"', terraform, re.MULTILINE)
    for most in (MEDIA_BYTES, DOCUMENT_BYTES, FILM_BYTES):
        children = most * sandbox._TOGETHER  # noqa: SLF001
        assert children + ROOM_BYTES <= int(gib) * GIB
