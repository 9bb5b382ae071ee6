"""Files that were made to do harm, each through ``check`` as an upload would be."""

import io
import json
import random
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest

from common import sandbox
from common.errors import UnreadableMedia
from common.media.__main__ import answer
from common.media.check import check
from common.media.container import decode
from tests import media_samples
from tests.media_samples import RATE, sine, wav_bytes

CODES = {
    *("media_unreadable", "media_empty", "media_no_audio"),
    *("media_truncated", "media_too_long", "media_unsupported"),
}


def verdict(path):
    """Return the code of the refusal, or "accepted"; anything else is an error."""
    try:
        check(path)
    except UnreadableMedia as exc:
        return exc.code if str(exc) else "no message"
    return "accepted"


def wav_header(*, channels=1, rate=RATE, declared=0, bits=16):
    block = channels * bits // 8
    fmt = struct.pack(
        "<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block, bits
    )
    head = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data"
    head += struct.pack("<I", declared)
    return b"RIFF" + struct.pack("<I", min(declared + 36, 0xFFFFFFFF)) + head


def noise(size):
    return random.Random(5).randbytes(size)  # noqa: S311 - the same on every run


NOT_MEDIA = {"media_unreadable", "media_unsupported"}
NO_SOUND = {"media_no_audio", "media_empty", "media_truncated", "media_unreadable"}

SESSION = (
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    b"m=audio 9 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
)
MANIFEST = (
    b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"'
    b' type="static"><Period><BaseURL>secret.wav</BaseURL></Period></MPD>'
)

BODIES = {
    "empty.wav": (b"", {"media_empty"}),
    "one-byte.mp3": (b"x", NOT_MEDIA),
    "text.wav": (b"Dear reader,\n" * 500, NOT_MEDIA),
    "zero.mp4": (bytes(100_000), NOT_MEDIA),
    "random.mp4": (noise(100_000), NOT_MEDIA),
    "page.webm": (b"<html><body>" + b"x" * 9000, NOT_MEDIA),
    "header-only.wav": (wav_header(declared=640_000), NO_SOUND),
    "channels-65.wav": (
        wav_header(channels=65, declared=65_000) + bytes(65_000),
        {"media_unsupported"},
    ),
    "channels-0.wav": (wav_header(channels=0, declared=6400) + bytes(6400), NOT_MEDIA),
    "rate-0.wav": (wav_header(rate=0, declared=6400) + bytes(6400), NOT_MEDIA),
    "rate-huge.wav": (
        wav_header(rate=2**31 - 1, declared=6400) + bytes(6400),
        NOT_MEDIA,
    ),
    "bits-8000.wav": (
        wav_header(bits=8000, declared=6400) + bytes(6400),
        NOT_MEDIA | NO_SOUND,
    ),
    "box-size.mp4": (
        struct.pack(">I", 2**31 - 1) + b"moov" + bytes(5000),
        NOT_MEDIA | NO_SOUND,
    ),
    "box-empty.mp4": (
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42\0\0\0\0moov" + bytes(64),
        NOT_MEDIA | NO_SOUND,
    ),
    "size.mkv": (b"\x1aE\xdf\xa3\x01" + b"\xff" * 7 + bytes(900), NOT_MEDIA),
    "hls.mp4": (
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.wav\n",
        NOT_MEDIA,
    ),
    "ffconcat.mp3": (b"ffconcat version 1.0\nfile secret.wav\n", NOT_MEDIA),
    "session.mp4": (SESSION, NOT_MEDIA),
    "dash.webm": (MANIFEST, NOT_MEDIA),
}
CUT = [".wav", ".flac", ".mp4", ".mov", ".mkv", ".avi"]
MADE = {
    "png.mp4": {"media_unsupported"},
    "jpeg.mp4": {"media_unsupported"},
    "film.mp4": {"media_no_audio"},
    "bomb.flac": {"media_too_long"},
    **{f"cut-{share}{suffix}": NO_SOUND for suffix in CUT for share in (5, 50)},
    **{f"damaged{suffix}": CODES | {"accepted"} for suffix in media_samples.FORMATS},
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Make the corpus and return what ``check`` says of each file, by name."""
    folder = tmp_path_factory.mktemp("hostile")
    media_samples.tone(folder / "secret.wav", 2.0)
    for name, (body, _) in BODIES.items():
        (folder / name).write_bytes(body)
    media_samples.picture(folder / "png.mp4", "png")
    media_samples.picture(folder / "jpeg.mp4", "jpeg")
    media_samples.video_only(folder / "film.mp4")
    silent_for_13_hours(folder / "bomb.flac")
    for suffix in CUT:
        body = media_samples.write(folder / f"cut{suffix}", sine(12.0)).read_bytes()
        for share in (5, 50):
            half = body[: len(body) * share // 100]
            (folder / f"cut-{share}{suffix}").write_bytes(half)
    for suffix in media_samples.FORMATS:
        damaged(folder / f"damaged{suffix}", seed=99)
    names = [*BODIES, *MADE]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(verdict, map(folder.joinpath, names))
        return dict(zip(names, found, strict=True))


def silent_for_13_hours(path):
    """Write two seconds whose header declares 13 hours."""
    body = bytearray(media_samples.silence(path, 2).read_bytes())
    samples = 44_100 * 3600 * 13  # STREAMINFO: 36 bits, the low 32 at byte 22
    body[21] = (body[21] & 0xF0) | samples >> 32
    struct.pack_into(">I", body, 22, samples & 0xFFFFFFFF)
    path.write_bytes(body)


def damaged(path, *, seed):
    """Write a recording with one byte in 200 changed, the headers included."""
    body = bytearray(media_samples.write(path, sine(1.0)).read_bytes())
    dice = random.Random(seed)  # noqa: S311 - the same on every run
    for _ in range(len(body) // 200 + 1):
        body[dice.randrange(len(body))] = dice.randrange(256)
    path.write_bytes(body)
    return path


@pytest.mark.parametrize("name", [*BODIES, *MADE])
def test_a_hostile_file_is_refused_with_a_reason(verdicts, name):
    expected = MADE[name] if name in MADE else BODIES[name][1]
    assert verdicts[name] in expected


@pytest.mark.parametrize("suffix", media_samples.FORMATS)
def test_changed_bytes_end_in_samples_or_a_refusal(tmp_path, suffix):
    for seed in range(3 if suffix == ".webm" else 12):  # its encoder is slow
        with damaged(tmp_path / f"x{suffix}", seed=seed).open("rb") as file:
            assert decoded(file) in CODES | {"samples"}


def decoded(file):
    try:
        length = sum(map(len, decode(file, max_seconds=3600)))
    except UnreadableMedia as exc:
        return exc.code
    return "half a sample" if length % 2 else "samples"


def test_a_good_file_is_accepted_with_its_facts(tmp_path):
    path = media_samples.tone(tmp_path / "good.mp3", 2.0)
    facts = check(path)
    assert (facts.container, facts.sample_rate, facts.channels) == ("mp3", 44_100, 1)


def test_only_the_first_half_minute_is_decoded(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(np.zeros(60 * RATE, np.int16))[: 50 * RATE * 2])
    assert verdict(path) == "accepted"


def test_a_missing_file_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "absent.wav")


def test_the_child_answers_with_facts_or_a_reason(tmp_path):
    path = media_samples.tone(tmp_path / "long.wav", 40.0)
    with path.open("rb") as file:
        assert json.loads(answer(file))["result"]["sample_rate"] == RATE
    with io.BytesIO(b"nothing") as file:
        assert set(json.loads(answer(file))["result"]) == {"code", "message"}


@pytest.fixture
def child_code(tmp_path, monkeypatch):
    """Let other code take the place of the child's, as a broken child would."""

    def use(code):
        package = tmp_path / "other" / "common" / "media"
        package.mkdir(parents=True)
        (package / "__main__.py").write_text(code)
        monkeypatch.setattr(sandbox, "_ROOT", str(tmp_path / "other"))
        return media_samples.tone(tmp_path / "good.wav", 1.0)

    return use


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.abort()",
        "raise MemoryError",
        "print('nonsense')",
        "print('x' * 10_000_000)",
        'print(\'{"result": {"code": "internal_error", "message": ""}}\')',
        'print(\'{"result": {"container": 7}}\')',
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    ],
)
def test_a_child_that_breaks_means_a_damaged_file(child_code, code):
    assert verdict(child_code(code)) == "media_unreadable"


def test_a_child_that_hangs_is_ended_with_all_its_children(child_code, tmp_path):
    pids = tmp_path / "pids"
    path = child_code(
        "import os, subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "other = subprocess.Popen(sleep)\n"
        f"file = open({str(pids)!r}, 'w')\n"
        "print(os.getpid(), other.pid, file=file, flush=True)\n"
        "time.sleep(60)\n"
    )
    assert verdict_within(path, 0.5) == "media_unreadable"
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    assert not [pid for pid in started if is_running(pid)]


def verdict_within(path, seconds):
    with pytest.raises(UnreadableMedia) as caught:
        check(path, timeout_seconds=seconds)
    return caught.value.code


def is_running(pid):
    for _ in range(100):  # a killed process takes a moment to go
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.02)
    return True


def test_the_child_is_given_no_secrets(child_code, monkeypatch, tmp_path):
    seen = tmp_path / "seen"
    path = child_code(
        "import json, os\n"
        "held = [dict(os.environ), os.listdir('/proc/self/fd')]\n"
        f"json.dump(held, open({str(seen)!r}, 'w'))\n"
    )
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    assert verdict(path) == "media_unreadable"
    environment, descriptors = json.loads(seen.read_text())
    assert "canary" not in environment.values()
    assert len(descriptors) <= 4  # the standard three, and this list of them


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no such limit")
def test_the_memory_of_the_child_is_limited():
    code = (
        "from common import sandbox\n"
        "sandbox.limit(memory_bytes=1 << 30, cpu_seconds=15)\n"
        "bytearray(2 << 30)"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    assert b"MemoryError" in ended.stderr
