"""The offline recogniser for real: its processes, on the first words of the sample."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from common.errors import ProviderError, ProviderUnavailable
from common.media.container import decode
from common.media.flac import encode_flac
from common.media.pcm import RATE
from common.providers.speech.pocketsphinx import PocketsphinxSpeech, words_in

pytest.importorskip("pocketsphinx", reason="the extra 'local' is not installed")
from common.providers.speech.pocketsphinx_decoder import serve

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "how_vaccines_work.mp3"
ORPHAN = """
import sys
from common.providers.speech.pocketsphinx import PocketsphinxSpeech
speech = PocketsphinxSpeech(processes=1)
speech.recognize(open(sys.argv[1], "rb").read(), language="en")
print("heard", flush=True)
sys.stdin.read()
"""


def sample(seconds):
    with SAMPLE.open("rb") as file:
        blocks = decode(file)
        assert isinstance(blocks, Generator)
        pcm = b"".join(islice(blocks, seconds + 1))
        blocks.close()
    samples = np.frombuffer(pcm, "<i2")
    assert len(samples) >= seconds * RATE
    return encode_flac(samples[: seconds * RATE])


def speech_of(request, **options):
    speech = PocketsphinxSpeech(**options)
    request.addfinalizer(speech.decoders.close)
    return speech


@pytest.fixture(scope="module")
def speech(request):
    return speech_of(request, processes=1)


@pytest.fixture(scope="module")
def heard(speech):
    return speech.recognize(sample(12), language="en-GB")


@pytest.fixture(scope="module")
def short():
    return sample(2)


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_lecture_is_recognised_in_order(heard):
    words = iter(" ".join(s.text for s in heard.segments).lower().split())
    said = ("lecture.", "today", "simple", "injection", "disease", "twenty")
    assert [word for word in said if word in words] == list(said)


def test_times_rise_and_stay_in_the_piece(heard):
    times = [t for s in heard.segments for t in (s.start_ms, s.end_ms)]
    assert all(before <= after for before, after in pairwise(times))
    assert times[0] >= 0
    assert times[-1] <= 12_000


def test_segments_are_sentences_with_a_confidence(heard):
    assert len(heard.segments) >= 3
    assert all(s.text[0].isupper() and s.text[-1] == "." for s in heard.segments)
    assert all(0 < s.confidence <= 1 for s in heard.segments)


def test_use_is_counted_and_costs_nothing(heard):
    assert (heard.usage.audio_ms, heard.usage.cost_usd_micros) == (12_000, 0)


def test_one_process_serves_call_after_call(speech, heard, short):
    before = speech.decoders.pids
    speech.recognize(short, language="en")
    assert len(before) == 1
    assert speech.decoders.pids == before


@pytest.mark.parametrize("level", [0, 1, 100])
def test_silence_gives_no_segments(speech, level):
    noise = np.random.default_rng(7).normal(0, level, RATE).astype(np.int16)
    assert speech.recognize(encode_flac(noise), language="en").segments == ()


def test_two_calls_at_a_time_use_two_processes(request, short):
    speech = speech_of(request, processes=2)
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(speech.recognize, short, language="en") for _ in "ab"]
    assert calls[0].result().segments == calls[1].result().segments
    assert len(speech.decoders.pids) == 2


def test_a_decoder_killed_in_mid_call_is_replaced(request, short):
    speech = speech_of(request, processes=1)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(speech.recognize, short, language="en")
        wait_until(lambda: speech.decoders.pids)
        [killed] = speech.decoders.pids
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(ProviderUnavailable, match="exit code -9"):
            call.result()
    assert speech.recognize(short, language="en").segments
    assert killed not in speech.decoders.pids


def test_a_decoder_that_died_idle_is_replaced_unnoticed(speech, short):
    speech.recognize(short, language="en")
    [killed] = speech.decoders.pids
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
    assert speech.recognize(short, language="en").segments


def test_a_decoder_that_takes_too_long_is_stopped(request, short):
    speech = speech_of(request, processes=1, patience_seconds=0.01)
    with pytest.raises(ProviderUnavailable):
        speech.recognize(short, language="en")
    assert not speech.decoders.pids


def test_no_decoder_outlives_a_killed_service(tmp_path, short):
    (tmp_path / "short.flac").write_bytes(short)
    command = [sys.executable, "-c", ORPHAN, str(tmp_path / "short.flac")]
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == b"heard\n"
        service.kill()
        # The decoder holds the same stderr: it ends only when the decoder has ended.
        service.communicate(timeout=30)


def test_the_decoder_ends_with_its_input_even_in_mid_request(short):
    pcm = [bytes(RATE), b"".join(decode(BytesIO(short)))]
    requests = b"".join(len(p).to_bytes(4, "big") + p for p in pcm) + b"\0\0\0\7cut"
    answers = BytesIO()
    serve(BytesIO(requests), answers)
    silence, speech = map(json.loads, answers.getvalue().splitlines())
    assert silence == []
    assert "welcome" in [word["word"] for word in speech]


def test_closing_leaves_no_process(request, short):
    speech = speech_of(request)
    speech.recognize(short, language="en")
    [pid] = speech.decoders.pids
    speech.decoders.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("language", ["de-DE", "fr", "es_MX", ""])
def test_other_languages_are_refused(speech, short, language):
    with pytest.raises(ProviderError, match="English only") as refusal:
        speech.recognize(short, language=language)
    assert refusal.value.code == "language_unsupported"


def test_what_is_not_flac_is_refused(speech):
    with pytest.raises(ProviderError, match="unreadable") as refusal:
        speech.recognize(b"not a recording", language="en")
    assert not refusal.value.retryable


def test_without_the_package_the_extra_is_named(speech, short, monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ProviderError, match="local") as refusal:
        speech.recognize(short, language="en")
    assert refusal.value.code == "provider_not_installed"


@pytest.mark.parametrize(
    ("spelled", "written"),
    [("u.s.", "US"), ("c.d.s", "CDs"), ("mr.", "mr."), ("a", "a")],
)
def test_spelled_letters_are_written_as_people_do(spelled, written):
    answer = [{"word": spelled, "start_ms": 0, "end_ms": 300, "prob": 0.9}]
    [word] = words_in(json.dumps(answer).encode(), 250)
    assert (word.text, word.end_ms) == (written, 250)
