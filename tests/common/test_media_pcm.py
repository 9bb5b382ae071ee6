from fractions import Fraction

import av
import numpy as np
import pytest

from common.errors import UnreadableMedia
from common.media.pcm import RATE, Pcm
from tests.media_samples import sine

HOUR = 3600 * RATE


def frame(seconds=0.1, *, rate=RATE, layout="mono"):
    channels = av.AudioLayout(layout).nb_channels
    samples = np.repeat(sine(seconds, rate=rate), channels).reshape(1, -1)
    made = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
    made.sample_rate = rate
    return made


def fed(starts, *, origin=0, furthest=None, rate=RATE):
    """Feed 100 ms for each start (in samples, or None); return the samples."""
    pcm = Pcm(origin=Fraction(origin), furthest=furthest)
    parts = [part for at in starts for part in pcm.feed(frame(rate=rate), starts=at)]
    parts += pcm.drain()
    samples = np.frombuffer(b"".join(parts), "<i2")
    assert pcm.samples == len(samples)
    return samples


@pytest.mark.parametrize(
    ("starts", "length"),
    [
        ([None, None, None], 4800),
        ([0, 1600, 3200], 4800),
        ([800, 2400], 3200),  # 50 ms is tolerated
        ([801, 2401], 4001),
        ([0, 16_000], 17_600),
        ([0, 799, 2399], 3999),
        ([0, 0, 0], 1600),  # said twice, heard once
        ([HOUR, HOUR + 1600], HOUR + 3200),
        ([HOUR + 1, HOUR + 1601], 3200),  # no believable gap
        ([11 * RATE, 0, 1600], 11 * RATE + 4800),  # the clock started again
        ([-800, 800], 3200),
    ],
)
def test_timestamps_decide_where_sound_goes(starts, length):
    assert len(fed(starts)) == length


def test_time_is_counted_from_the_origin():
    assert len(fed([2 * RATE, 2 * RATE + 1600], origin=2)) == 3200


def test_a_timestamp_beyond_the_recording_is_not_believed():
    assert len(fed([0, 5 * RATE, 5 * RATE + 1600], furthest=4 * RATE)) == 4800


def test_what_follows_an_unbelievable_jump_keeps_its_distances():
    jumped = 5 * RATE
    starts = [0, jumped, jumped + 1600, jumped + 4800]
    assert len(fed(starts, furthest=4 * RATE)) == 8000


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_the_length(rate):
    length = 20 * round(0.1 * rate) / rate * RATE
    assert abs(len(fed([None] * 20, rate=rate)) - length) <= 2


def test_lost_sound_is_replaced_by_silence():
    pcm = Pcm(origin=Fraction(0), furthest=None)
    parts = [*pcm.feed(frame(), starts=None), *pcm.skip(800)]
    parts += [*pcm.feed(frame(), starts=None), *pcm.drain()]
    samples = np.frombuffer(b"".join(parts), "<i2")
    assert len(samples) == 4000
    assert not samples[1600:2400].any()


def test_a_change_of_rate_and_channels_keeps_the_length():
    pcm = Pcm(origin=Fraction(0), furthest=None)
    parts = [*pcm.feed(frame(rate=48_000, layout="stereo"), starts=None)]
    parts += [*pcm.feed(frame(rate=22_050), starts=None), *pcm.drain()]
    assert abs(sum(map(len, parts)) // 2 - 3200) <= 2


def test_a_frame_with_an_absurd_rate_is_refused():
    pcm = Pcm(origin=Fraction(0), furthest=None)
    with pytest.raises(UnreadableMedia, match="sample rate"):
        list(pcm.feed(frame(0.001, rate=400_000), starts=None))
