import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from common.errors import UnreadableMedia
from common.media.container import decode, probe
from tests import media_samples
from tests.media_samples import FORMATS, RATE, bursts, sine, wav_bytes

VIDEO = [suffix for suffix, made in FORMATS.items() if made[3]]


def samples_of(source, **options):
    if not hasattr(source, "read"):
        source = io.BytesIO(source.read_bytes())
    return np.frombuffer(b"".join(decode(source, **options)), "<i2")


def loudest_hertz(samples):
    spectrum = np.abs(np.fft.rfft(samples))
    return np.argmax(spectrum) * RATE / len(samples)


def first_sound(samples):
    return np.flatnonzero(np.abs(samples.astype(np.int32)) > 1500)[0] / RATE


def refusal(source, **options):
    with pytest.raises(UnreadableMedia) as caught:
        samples_of(source, **options)
    return caught.value


def matroska(path, timestamps_ms, *, block=1600):
    """Write 100 ms blocks of a tone in Matroska, each at the time asked for."""
    tone = sine(block / RATE * len(timestamps_ms), level=0.5)
    with av.open(str(path), "w", format="matroska") as media:
        stream = media.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number, at in enumerate(timestamps_ms):
            packet = av.Packet(tone[number * block : (number + 1) * block].tobytes())
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = at
            media.mux(packet)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_container_decodes_to_its_true_length(tmp_path, suffix):
    path = media_samples.tone(tmp_path / f"tone{suffix}", 4.0, hertz=1000)
    samples = samples_of(path)
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.05)
    assert loudest_hertz(samples) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("suffix", FORMATS)
def test_sound_keeps_its_place(tmp_path, suffix):
    path = media_samples.speechlike(tmp_path / f"talk{suffix}", [(1.5, 2.5)])
    assert first_sound(samples_of(path)) == pytest.approx(1.5, abs=0.04)


@pytest.mark.parametrize("suffix", FORMATS)
def test_facts_tell_what_is_in_the_file(tmp_path, suffix):
    path = media_samples.tone(tmp_path / f"tone{suffix}", 2.0)
    with path.open("rb") as file:
        facts = probe(file)
    assert facts.has_video == (suffix in VIDEO)
    assert facts.channels == 1
    assert facts.sample_rate == FORMATS[suffix][2]
    assert facts.declared_ms == pytest.approx(2000, abs=110)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm", ".mkv"])
def test_sound_that_starts_late_in_a_film_stays_late(tmp_path, suffix):
    path = media_samples.write(
        tmp_path / f"late{suffix}", bursts(2, [(0, 2)]), audio_starts=2.0
    )
    samples = samples_of(path)
    assert first_sound(samples) == pytest.approx(2.0, abs=0.04)
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.05)


def test_a_gap_in_the_timestamps_is_silence(tmp_path):
    path = matroska(tmp_path / "gap.mkv", [0, 100, 200, 1300, 1400])
    samples = samples_of(path)
    assert len(samples) == RATE * 15 // 10
    assert not samples[RATE * 3 // 10 : RATE * 13 // 10].any()
    assert np.abs(samples[RATE * 13 // 10 :]).max() > 10_000


def test_an_overlap_in_the_timestamps_is_dropped(tmp_path):
    path = matroska(tmp_path / "overlap.mkv", [0, 100, 110, 210, 310, 410])
    assert len(samples_of(path)) == RATE * 51 // 100


def test_jitter_below_50_ms_leaves_the_samples_alone(tmp_path):
    path = matroska(tmp_path / "jitter.mkv", [0, 130, 180, 310, 400])
    assert np.array_equal(samples_of(path), sine(0.5, level=0.5))


def test_two_channels_become_one(tmp_path):
    left, right = sine(1.0, hertz=500), sine(1.0, hertz=500)
    path = media_samples.write(tmp_path / "two.flac", np.stack([left, right], axis=1))
    assert loudest_hertz(samples_of(path)) == pytest.approx(500, abs=2)


def test_the_name_of_a_file_does_not_matter(tmp_path):
    path = media_samples.tone(tmp_path / "tone.flac", 1.0)
    assert len(samples_of(path.rename(tmp_path / "tone.mp4"))) == RATE


def test_a_cover_image_is_not_a_video(tmp_path):
    still = media_samples.picture(tmp_path / "cover", "png").read_bytes()
    tagged = tmp_path / "covered.mp3"
    mp3 = media_samples.tone(tmp_path / "tone.mp3", 1.0).read_bytes()
    tagged.write_bytes(id3_with_picture(still) + mp3)
    with tagged.open("rb") as file:
        assert probe(file).has_video is False
    assert len(samples_of(tagged)) / RATE == pytest.approx(1.0, abs=0.05)


def id3_with_picture(picture):
    body = b"\0image/png\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame


def test_tags_that_are_not_text_do_no_harm(tmp_path):
    wav = bytearray(wav_bytes(sine(1.0)))
    tag = b"INFOIART\x04\0\0\0\xff\xfe\xff\0"
    wav += b"LIST" + struct.pack("<I", len(tag)) + tag
    struct.pack_into("<I", wav, 4, len(wav) - 8)
    assert len(samples_of(io.BytesIO(bytes(wav)))) == RATE


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFF0000])
def test_a_wav_written_to_a_pipe_is_not_cut_short(size):
    wav = bytearray(wav_bytes(sine(1.0)))
    struct.pack_into("<I", wav, 40, size)
    assert len(samples_of(io.BytesIO(bytes(wav)))) == RATE


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mov", ".mkv", ".avi"])
def test_half_a_file_is_cut_short(tmp_path, suffix):
    path = media_samples.speechlike(tmp_path / f"long{suffix}", [(0, 30)])
    whole = with_index_first(path)
    error = refusal(io.BytesIO(whole[: len(whole) // 2]))
    assert error.code == "media_truncated"
    assert "0:00:30" in str(error) or "0:00:31" in str(error)


def with_index_first(path):
    if path.suffix != ".mov":
        return path.read_bytes()
    fast = path.with_name("fast.mov")
    with (
        av.open(str(path)) as source,
        av.open(str(fast), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = source.streams.audio[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    return fast.read_bytes()


def test_sound_that_ends_before_the_film_is_complete(tmp_path):
    path = media_samples.write(tmp_path / "film.mkv", sine(2.0), video_seconds=20)
    assert len(samples_of(path)) / RATE == pytest.approx(2.0, abs=0.05)


def test_a_recording_that_declares_too_much_is_refused_unread(tmp_path):
    path = media_samples.tone(tmp_path / "tone.flac", 3.0)
    with path.open("rb") as file, pytest.raises(UnreadableMedia) as caught:
        probe(file, max_seconds=2)
    assert caught.value.code == "media_too_long"


def test_a_recording_that_does_not_say_its_length_is_still_bounded(tmp_path):
    path = media_samples.tone(tmp_path / "tone.mp3", 8.0)
    assert refusal(path, max_seconds=5).code == "media_too_long"


def test_a_damaged_middle_is_silence_of_the_same_length(tmp_path):
    path = media_samples.tone(tmp_path / "tone.flac", 10.0)
    body = bytearray(path.read_bytes())
    middle = len(body) // 2
    body[middle : middle + 3000] = bytes(3000)
    assert len(samples_of(io.BytesIO(bytes(body)))) / RATE == pytest.approx(10, abs=0.5)


def test_a_failing_source_is_not_called_damaged(tmp_path):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 100_000:
                raise ConnectionResetError("storage went away")
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        samples_of(Failing(wav_bytes(sine(20.0))))


def test_reading_may_stop_early(tmp_path):
    path = media_samples.tone(tmp_path / "tone.wav", 30.0)
    with path.open("rb") as file:
        assert len(next(decode(file))) >= RATE
        assert file.tell() < path.stat().st_size
