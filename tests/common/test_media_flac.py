"""Samples to FLAC, at once and as a stream; and reading ahead in a thread."""

import hashlib
import io
import threading

import av
import numpy as np
import pytest

from common.media.ahead import ahead
from common.media.container import decode
from common.media.flac import FlacStream, encode_flac, length_ms
from tests.media_samples import bursts, sine

SECOND = 16_000


def blocks_of(samples, size=65_536):
    pcm = samples.astype("<i2").tobytes()
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]


def samples_in(flac):
    with av.open(io.BytesIO(flac), "r", format="flac") as media:
        frames = [frame.to_ndarray().ravel() for frame in media.decode(audio=0)]
    return np.concatenate(frames)


@pytest.mark.parametrize("size", [97 * 2, 65_536, 3_000_000])
def test_a_stream_is_the_recording_bit_for_bit(size):
    samples = bursts(20.01, [(0.5, 4), (4.8, 19)], noise=0.001)
    stream = FlacStream(blocks_of(samples, size))
    flac = b"".join(iter(lambda: stream.read(1000), b""))
    assert np.array_equal(samples_in(flac), samples)
    assert stream.total_samples == len(samples)
    assert stream.sha256 == hashlib.sha256(samples.astype("<i2")).hexdigest()


def test_a_stream_decodes_as_any_recording_does():
    samples = sine(3)
    flac = FlacStream(blocks_of(samples)).read()
    assert b"".join(decode(io.BytesIO(flac))) == samples.tobytes()


def test_a_stream_encodes_no_more_than_is_read():
    """An hour is asked for in pieces; what waits inside is some blocks."""
    given = []

    def blocks():
        for block in blocks_of(np.random.default_rng(1).integers(-999, 999, 900_000)):
            given.append(len(block))
            yield block

    stream = FlacStream(blocks())
    stream.read(100_000)
    assert 100_000 < sum(given) < 400_000


@pytest.mark.parametrize(
    ("samples", "heard"),
    [
        (np.zeros(30 * SECOND, np.int16), False),
        (bursts(30, [], noise=0.004), False),
        (np.full(10 * SECOND, 900, np.int16), False),
        (np.zeros(0, np.int16), False),
        (bursts(90, [(60, 61)], noise=0.003), True),
        (sine(0.3), True),
        (sine(10), True),
    ],
)
def test_a_stream_tells_whether_anything_is_heard(samples, heard):
    stream = FlacStream(blocks_of(samples, 1000))
    stream.read()
    assert stream.heard is heard


def test_a_stream_fails_as_its_source_does():
    def broken():
        yield bytes(64_000)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        FlacStream(broken()).read()


def test_a_header_tells_the_length_of_a_piece_and_not_of_a_stream():
    assert length_ms(encode_flac(sine(1.25))) == 1250
    assert length_ms(FlacStream(blocks_of(sine(1.25))).read()) is None
    assert length_ms(b"RIFF" + bytes(60)) is None


def test_what_is_read_ahead_comes_in_order():
    with ahead(iter(range(1, 1000)), at_most=3) as items:
        assert list(items) == list(range(1, 1000))


def test_no_more_is_read_ahead_than_may_wait():
    given, full = [], threading.Event()

    def count():
        for number in range(1, 100):
            given.append(number)
            if number == 5:
                full.set()
            yield number

    with ahead(count(), at_most=3) as items:
        next(items)
        assert full.wait(5)  # one taken, three that wait, one that is put
        assert len(given) == 5


def test_an_error_is_raised_where_it_belongs():
    def broken():
        yield 1
        raise ConnectionError

    with ahead(broken(), at_most=5) as items:
        assert next(items) == 1
        with pytest.raises(ConnectionError):
            next(items)


def test_the_thread_ends_with_the_block():
    with ahead(iter(range(1, 10_000)), at_most=1) as items:
        next(items)
    assert not [t for t in threading.enumerate() if "read-ahead" in t.name]
