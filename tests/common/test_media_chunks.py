import hashlib
import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.media.chunks import Cutter
from common.media.flac import encode_flac
from tests.media_samples import RATE, bursts, sine

SECOND = RATE
MARGIN = RATE // 5
FRAME = RATE // 50


def cut(samples, *, max_ms=30_000, max_bytes=24_000_000, block_bytes=65_536):
    cutter = Cutter(max_ms=max_ms, max_bytes=max_bytes)
    pcm = samples.astype("<i2").tobytes()
    blocks = (pcm[at : at + block_bytes] for at in range(0, len(pcm), block_bytes))
    found = list(cutter.pieces(blocks))
    assert cutter.total_samples == len(samples)
    return found


def spans(pieces):
    return [(piece.start_sample, piece.end_sample) for piece in pieces]


def flac_samples(flac):
    with av.open(io.BytesIO(flac), "r") as media:
        assert media.streams.audio[0].rate == RATE
        frames = [frame.to_ndarray().reshape(-1) for frame in media.decode(audio=0)]
    return np.concatenate(frames)


def is_covered(pieces, sample):
    return any(piece.start_sample <= sample < piece.end_sample for piece in pieces)


def test_a_short_recording_is_one_piece():
    [piece] = cut(bursts(3, [(0.5, 2.5)]))
    assert (piece.start_sample, piece.end_sample) == (
        SECOND // 2 - MARGIN,
        SECOND * 5 // 2 + MARGIN,
    )


def test_a_piece_is_the_recording_bit_for_bit():
    samples = bursts(9, [(0.5, 4), (4.8, 8)], noise=0.001)
    for piece in cut(samples, max_ms=5_000):
        source = samples[piece.start_sample : piece.end_sample]
        assert np.array_equal(flac_samples(piece.flac), source)
        assert piece.sha256 == hashlib.sha256(source.astype("<i2")).hexdigest()


def test_cuts_are_made_in_the_longest_pause_of_the_second_half():
    samples = bursts(50, [(0, 8), (10, 20), (20.3, 24), (25, 49.5)])
    first, second = cut(samples)
    assert first.end_sample == 24 * SECOND + MARGIN
    assert 24 * SECOND < second.start_sample <= 25 * SECOND - MARGIN + FRAME


def test_speech_without_pauses_is_cut_where_it_is_quietest():
    samples = sine(40)
    samples[25 * SECOND : 25 * SECOND + 5 * FRAME] //= 4
    first, second = cut(samples)
    assert first.end_sample == second.start_sample
    assert 25 * SECOND <= first.end_sample <= 25 * SECOND + 5 * FRAME


def test_silence_is_never_sent():
    assert cut(np.zeros(100 * SECOND, np.int16)) == []


def test_noise_of_an_empty_room_is_never_sent():
    assert cut(bursts(100, [], noise=0.004)) == []


def test_a_constant_offset_is_silence():
    assert cut(np.full(10 * SECOND, 900, np.int16)) == []


def test_clicks_are_not_speech():
    samples = np.zeros(60 * SECOND, np.int16)
    samples[:: 5 * SECOND] = 30_000
    assert cut(samples) == []


def test_a_steady_loud_tone_is_sent():
    assert spans(cut(sine(10))) == [(0, 10 * SECOND)]


def test_speech_in_noise_is_found_without_the_noise():
    samples = bursts(90, [(30, 40)], noise=0.003)
    [piece] = cut(samples)
    assert abs(piece.start_sample - (30 * SECOND - MARGIN)) <= 3 * FRAME
    assert abs(piece.end_sample - (40 * SECOND + MARGIN)) <= 3 * FRAME


def test_a_long_pause_within_a_piece_is_left_out():
    found = cut(bursts(60, [(1, 5), (18, 24), (50, 58)]), max_ms=600_000)
    assert spans(found) == [
        (1 * SECOND - MARGIN, 5 * SECOND + MARGIN),
        (18 * SECOND - MARGIN, 24 * SECOND + MARGIN),
        (50 * SECOND - MARGIN, 58 * SECOND + MARGIN),
    ]


def test_a_short_word_is_sent_with_a_second_around_it():
    [piece] = cut(bursts(50, [(20, 20.2)]))
    assert piece.end_sample - piece.start_sample == SECOND
    assert piece.start_sample == 20 * SECOND - MARGIN


@pytest.mark.parametrize("seconds", [30.01, 30.3, 30.99, 31.0, 31.03, 60.5])
def test_no_tail_is_shorter_than_a_second(seconds):
    found = cut(sine(seconds))
    assert all(piece.end_sample - piece.start_sample >= SECOND for piece in found)
    assert found[-1].end_sample == round(seconds * SECOND)


def test_a_recording_shorter_than_a_second_is_sent_as_it_is():
    assert spans(cut(sine(0.3))) == [(0, round(0.3 * SECOND))]


def test_an_empty_recording_has_no_pieces():
    assert cut(np.zeros(0, np.int16)) == []


def test_the_largest_flac_stays_within_the_bytes_allowed():
    noise = np.random.default_rng(1).integers(-32768, 32767, 20 * SECOND, np.int16)
    found = cut(noise, max_bytes=200_000)
    assert max(len(piece.flac) for piece in found) <= 200_000
    assert len(found) == pytest.approx(20 * 32_000 / 180_000, abs=3)


def test_a_piece_too_small_to_hold_speech_is_refused():
    with pytest.raises(ValueError, match="two seconds"):
        Cutter(max_ms=1_999, max_bytes=1_000_000)


def test_flac_of_one_sample_is_that_sample():
    assert flac_samples(encode_flac(np.array([-7], np.int16))).tolist() == [-7]


recordings = st.lists(
    st.tuples(
        st.floats(0.0, 14.0).map(lambda gap: round(gap, 4)),
        st.floats(0.15, 7.0).map(lambda sound: round(sound, 4)),
    ),
    max_size=6,
)


def recording(gaps_and_sounds, tail, noise):
    pattern, at = [], 0.0
    for gap, sound in gaps_and_sounds:
        pattern.append((at + gap, at + gap + sound))
        at += gap + sound
    return bursts(at + tail, pattern, noise=noise), pattern


@settings(max_examples=25, deadline=None)
@given(
    recordings,
    st.floats(0.0, 3.0),
    st.sampled_from([0.0, 0.001]),
    st.integers(1, 50_000),
)
def test_pieces_are_ordered_bounded_and_exact(parts, tail, noise, block_bytes):
    samples, pattern = recording(parts, tail, noise)
    found = cut(samples, max_ms=4_000, block_bytes=max(block_bytes, 97))
    assert found == cut(samples, max_ms=4_000)
    edges = [edge for span in spans(found) for edge in span]
    assert edges == sorted(edges)
    for piece in found:
        length = piece.end_sample - piece.start_sample
        assert min(SECOND, len(samples)) <= length <= 4 * SECOND
        source = samples[piece.start_sample : piece.end_sample]
        assert np.array_equal(flac_samples(piece.flac), source)
    for start, end in pattern:
        for time in (start, (start + end) / 2, end - 0.01):
            assert is_covered(found, round(time * SECOND))
