"""Offline speech recognition; the English model is part of the package.

Decoding runs in child processes: it holds the interpreter lock for seconds, and a crash
in the decoder's C code must not take the service with it.
"""

import json
import os
import re
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from subprocess import PIPE, Popen
from threading import BoundedSemaphore, Timer
from typing import IO, cast

from common.errors import ProviderError, ProviderUnavailable, UnreadableMedia
from common.media.container import decode
from common.media.pcm import RATE, SAMPLE_BYTES
from common.providers.speech import Heard, Limits
from common.sentences import cut_loops, sentences
from common.transcript import Engine, Word
from common.usage import Usage

_BYTES_PER_MS = RATE * SAMPLE_BYTES // 1000
_DECODER = Path(__file__).with_name("pocketsphinx_decoder.py")
# 30 s take about 3 s, up to 20 s on a busy machine; six times that is no delay but a
# hang, and the caller's lease of ten minutes still covers it.
_PATIENCE_SECONDS = 120.0
_SPELLED = re.compile(r"((?:[a-z]\.)+)('?s)?")  # b. u.s. c.d.s: the model's letters


class PocketsphinxSpeech:
    """A draft engine: no network, no key, one word in five to ten wrong."""

    engine = Engine("pocketsphinx", "en-us")
    # Longer pieces gain nothing; 1 MiB is 30 s of FLAC that does not compress at all.
    limits = Limits(max_chunk_ms=30_000, max_bytes=1024 * 1024)
    batch = None

    def __init__(
        self,
        *,
        processes: int | None = None,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """Start nothing yet; ``processes`` is one per core unless given."""
        self.decoders = Decoders(processes or _cores(), patience_seconds)

    def recognize(  # noqa: D102
        self,
        flac: bytes,
        *,
        language: str,
        prompt: str | None = None,  # noqa: ARG002 - its vocabulary is fixed
    ) -> Heard:
        _require_english(language)
        _require_package()
        pcm = _pcm(flac)
        total_ms = len(pcm) // _BYTES_PER_MS
        words = words_in(self.decoders.ask(pcm), total_ms) if pcm else []
        return Heard(
            segments=cut_loops(sentences(words)),
            language="en-US",
            usage=Usage(
                self.engine.provider,
                self.engine.model,
                audio_ms=total_ms,
                cost_usd_micros=0,
            ),
        )


class Decoders:
    """Up to ``size`` decoder processes; each serves one thread at a time.

    Started when first needed, replaced when they end, stopped with this object.
    """

    def __init__(self, size: int, patience_seconds: float) -> None:
        """Start nothing yet. Who asks while all are busy waits for one."""
        self._places = BoundedSemaphore(size)
        self._idle: list[Popen[bytes]] = []
        self._alive: set[Popen[bytes]] = set()
        self._patience_seconds = patience_seconds
        self.close = weakref.finalize(self, _stop_all, self._alive)

    @property
    def pids(self) -> frozenset[int]:
        """The processes there are, busy or idle."""
        return frozenset(child.pid for child in tuple(self._alive))

    def ask(self, pcm: bytes) -> bytes:
        """Return a decoder's line for 16 kHz mono 16-bit PCM.

        Raises:
            ProviderUnavailable: the process crashed or took too long; it is replaced.
        """
        with self._checkout() as child:
            timer = Timer(self._patience_seconds, child.kill)
            timer.start()
            try:
                line = _exchange(child, pcm)
            finally:
                timer.cancel()
            if not line.endswith(b"\n"):
                raise ProviderUnavailable(
                    "The speech decoder stopped before it had an answer"
                    f" (exit code {child.wait()})."
                )
            return line

    @contextmanager
    def _checkout(self) -> Iterator[Popen[bytes]]:
        with self._places:
            child = self._take()
            try:
                yield child
            except BaseException:
                self._discard(child)
                raise
            self._idle.append(child)

    def _take(self) -> Popen[bytes]:
        with suppress(IndexError):  # no process is idle
            while True:
                child = self._idle.pop()
                if child.poll() is None:
                    return child
                self._discard(child)  # ended while idle, e.g. killed to free memory
        # -P: else this folder's modules would hide the packages of the same name.
        command = [sys.executable, "-P", str(_DECODER)]
        child = Popen(command, stdin=PIPE, stdout=PIPE)  # noqa: S603 - our own file
        self._alive.add(child)
        return child

    def _discard(self, child: Popen[bytes]) -> None:
        self._alive.discard(child)
        _stop(child)


def _exchange(child: Popen[bytes], pcm: bytes) -> bytes:
    """Return the answer; cut short or empty if the process ends first."""
    requests, answers = cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout)
    with suppress(BrokenPipeError):
        requests.write(len(pcm).to_bytes(4, "big") + pcm)
        requests.flush()
    return answers.readline()


def _stop_all(children: set[Popen[bytes]]) -> None:
    for child in children:
        _stop(child)
    children.clear()


def _stop(child: Popen[bytes]) -> None:
    child.kill()  # it has no state worth a polite end
    child.wait()
    cast(IO[bytes], child.stdout).close()
    with suppress(BrokenPipeError):  # bytes that it did not read any more
        cast(IO[bytes], child.stdin).close()


def _cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _require_english(language: str) -> None:
    if re.split("[-_]", language.lower())[0] not in {"en", "eng"}:
        raise ProviderError(
            f"The offline recogniser knows English only, not {language!r}."
            " Choose another transcription provider for this language,"
            " or upload a transcript.",
            code="language_unsupported",
        )


def _require_package() -> None:
    if find_spec("pocketsphinx") is None:
        raise ProviderError(
            "Offline speech recognition is not installed."
            " Install the extra 'local': pip install 'pegasus[local]'.",
            code="provider_not_installed",
        )


def _pcm(flac: bytes) -> bytes:
    try:
        return b"".join(decode(BytesIO(flac)))
    except UnreadableMedia as exc:
        raise ProviderError(f"The piece of audio is unreadable: {exc}") from exc


def words_in(line: bytes, total_ms: int) -> list[Word]:
    """Return the words of a decoder's answer about ``total_ms`` of sound."""
    return [
        Word(
            start_ms=word["start_ms"],
            end_ms=min(word["end_ms"], total_ms),
            text=_spelling(word["word"]),
            confidence=word["prob"],
        )
        for word in json.loads(line)
    ]


def _spelling(word: str) -> str:
    """Return abbreviations as people write them: ``u.s.`` becomes ``US``."""
    spelled = _SPELLED.fullmatch(word)
    return spelled[1].replace(".", "").upper() + (spelled[2] or "") if spelled else word
