"""Rendering in a child process: what it cannot do to this one."""

import io
import os
import subprocess
import tempfile
import time

import pytest

from common.errors import InvalidInput, Unavailable
from common.timeline import encoders, orders, studio
from common.timeline.studio import Studio
from tests import film_samples
from tests.common.timelines import look, planned, timeline
from tests.film_samples import RED


class Wall(Exception):
    """What somebody raises who does not want to wait."""


def ignore(_frames):
    """Go on."""


def part(source):
    made = planned(timeline({}), [source])
    return orders.Part(plan=made, first=0, end=made.frames, clips=(0,), threads=1)


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
        return file.read().split()


def test_files_of_the_disk_and_of_a_bucket_are_read_alike(tmp_path):
    source = film_samples.film(RED, 0.3)
    path = tmp_path / "film.mp4"
    path.write_bytes(source.getvalue())

    with path.open("rb") as of_disk:
        found = Studio(ignore).look([of_disk, source])

    assert found[0] == found[1] == look(source)


def test_what_cannot_be_read_is_refused_for_good():
    with pytest.raises(InvalidInput) as refused:
        Studio(ignore).look([io.BytesIO(b"junk")])

    assert refused.value.code == "media_unreadable"
    assert not refused.value.retryable


def test_who_stops_listening_ends_the_child_at_once():
    source = film_samples.film(RED, 0.3)

    def stop(_frames):
        raise Wall

    before, began = children(), time.monotonic()
    with pytest.raises(Wall) as kept, tempfile.TemporaryFile() as file:
        Studio(stop).render(part(source), [source], [file])

    assert time.monotonic() - began < 10  # it was not waited for
    assert children() == before
    assert kept.value.__traceback__ is not None  # and all that it holds is alive


def test_a_child_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(studio, "_SECONDS", 0.0)
    before = children()

    with pytest.raises(Unavailable) as gone:
        Studio(ignore).look([io.BytesIO(b"junk")])

    assert gone.value.code == "render_timeout"
    assert children() == before


@pytest.mark.parametrize(
    "program",
    [
        ("-c", "import os; os.abort()"),
        ("-c", "print('{}')"),
        ("-c", "print('no json')"),
        ("-c", "import sys; sys.stdout.write('x' * 3_000_000)"),
    ],
)
def test_a_child_that_dies_or_talks_nonsense_may_be_asked_again(monkeypatch, program):
    original = subprocess.Popen

    def start(command, **options):
        return original([command[0], *program], **options)

    monkeypatch.setattr(subprocess, "Popen", start)

    with pytest.raises(Unavailable) as gone:
        Studio(ignore).look([io.BytesIO(b"junk")])

    assert gone.value.code == "render_broken"
    assert gone.value.retryable


def test_this_machine_has_all_encoders():
    assert encoders.missing() == {}


def test_an_encoder_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(encoders, "exists", lambda name: "264" not in name)
    encoders.missing.cache_clear()
    try:
        with pytest.raises(InvalidInput, match=r"cannot write mp4 files.*no h264"):
            encoders.require(["webm", "mp4"])
        encoders.require(["webm"])
    finally:
        encoders.missing.cache_clear()
