"""Films, looked into and copied by a child process that may die of them."""

import io

import av
import psutil
import pytest

from common import sandbox
from common.errors import UnreadableMedia
from common.media.films.check import check, preview
from common.media.films.looking import look
from tests import media_samples
from tests.films import film
from tests.media_samples import sine


def seen(content):
    return check(io.BytesIO(content))


def shown(jpeg):
    with av.open(io.BytesIO(jpeg), mode="r") as picture:
        return next(picture.decode(video=0))


def copied(content, tmp_path, *, most_bytes=10**8, tell=lambda _seconds: None):
    with (tmp_path / "copy.mp4").open("w+b") as target:
        made = preview(
            io.BytesIO(content), target, threads=1, most_bytes=most_bytes, tell=tell
        )
        target.seek(0)
        return target.read() if made else None


def test_a_film_is_told_by_its_packets():
    found = seen(film(seconds=2.0)).film
    assert found.seconds == pytest.approx(2.0, abs=0.05)
    assert (found.width, found.height, found.fps) == (160, 90, 25.0)
    assert (found.container, found.codec) == ("mp4", "h264")
    assert found.sound is not None
    assert (found.sound.codec, found.sound.channels) == ("aac", 1)
    assert found.bitrate > 0


def test_the_end_is_looked_for_where_it_should_be():
    found = look(io.BytesIO(film(seconds=14.0, size=(32, 32), sound=None)))
    assert found.seconds == pytest.approx(14.0, abs=0.05)


def test_the_picture_is_that_of_the_first_second():
    frame = shown(seen(film()).picture).to_ndarray(format="rgb24")
    assert frame.shape == (360, 640, 3)
    green = (frame[180, :, 1] > 128).sum() / 640  # frame 25 of 50: half of it
    assert green == pytest.approx(0.5, abs=0.05)


def test_a_tall_film_is_not_squeezed():
    frame = shown(seen(film(size=(90, 160), sound=None)).picture)
    assert frame.height == 360
    assert frame.width == pytest.approx(202, abs=2)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda p: media_samples.tone(p / "a.mp3", 1), "media_no_picture"),
        (lambda p: media_samples.write(p / "a.m4a", sine(1)), "media_no_picture"),
        (lambda p: media_samples.picture(p / "a.mp4"), "media_unsupported"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path, made, code):
    with pytest.raises(UnreadableMedia) as refusal, made(tmp_path).open("rb") as file:
        check(file)
    assert refusal.value.code == code


def test_a_film_cut_short_is_refused():
    whole = film(".mov", seconds=30.0, size=(64, 64), noisy=True, sound=None)
    head = whole.index(b"moov") - 4
    moved = whole[head:] + whole[:head]  # the index first, as for streaming
    with pytest.raises(UnreadableMedia):
        seen(moved[: len(moved) // 2])


def test_a_copy_is_small_and_plays_everywhere(tmp_path):
    large = film(seconds=0.4, size=(640, 480), noisy=True)
    copy = copied(large, tmp_path)
    found = look(io.BytesIO(copy))
    assert (found.width, found.height) == (480, 360)
    assert found.sound is not None
    assert (found.codec, found.sound.codec) == ("h264", "aac")
    assert found.seconds == pytest.approx(0.4, abs=0.1)
    assert len(copy) < len(large)


def test_there_is_no_copy_larger_than_allowed(tmp_path):
    large = film(seconds=0.4, size=(640, 480), noisy=True)
    assert copied(large, tmp_path, most_bytes=10_000) is None


def test_whoever_waits_for_a_copy_may_stop_it(tmp_path):
    class Enough(Exception):
        pass

    def stop(_seconds):
        raise Enough

    with pytest.raises(Enough):
        copied(film(), tmp_path, tell=stop)


def test_a_small_film_needs_no_copy():
    assert seen(film()).film.plays_everywhere
    assert not seen(film(".mov", codec="mpeg4", seconds=1.0)).film.plays_everywhere
    big = film(seconds=0.4, size=(640, 480), noisy=True)
    assert not seen(big).film.plays_everywhere


def test_a_child_that_dies_is_a_damaged_film(monkeypatch):
    monkeypatch.setattr(sandbox, "_ROOT", "/nowhere")
    with pytest.raises(UnreadableMedia, match="cannot be examined"):
        seen(film())


def test_what_a_child_says_is_not_believed(monkeypatch):
    for said in (b"{}", b"", b'{"result": {"film": 1}}', b'{"result":{"code":1}}'):
        monkeypatch.setattr(sandbox, "ask", lambda *_, said=said, **__: said)
        with pytest.raises(UnreadableMedia) as refusal:
            seen(film())
        assert refusal.value.code == "media_unreadable"
    odd = b'{"result": {"code": "../x", "message": "' + b"m" * 1000 + b'"}}'
    monkeypatch.setattr(sandbox, "ask", lambda *_, **__: odd)
    with pytest.raises(UnreadableMedia) as refusal:
        seen(film())
    assert refusal.value.code == "media_unreadable"
    assert len(str(refusal.value)) == 500


def test_nothing_runs_on_when_time_is_up(tmp_path, monkeypatch):
    monkeypatch.setattr("common.media.films.check.COPY_SECONDS", 0.0)
    assert copied(film(), tmp_path) is None
    running = [one.cmdline() for one in psutil.Process().children(recursive=True)]
    assert not [words for words in running if "common.media.films.copier" in words]
