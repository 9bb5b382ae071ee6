"""Whisper on this machine's processor, by faster-whisper: no key, no recording leaves.

The model is loaded when first needed, once per process. It computes outside of the
interpreter lock, so the heartbeat goes on meanwhile.
"""

import re
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from common.errors import (
    BadRequest,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    UnreadableMedia,
)
from common.media.container import decode
from common.media.pcm import RATE
from common.providers.speech import Heard, Limits
from common.providers.speech.whisper_segments import Part, timed
from common.sentences import cut_loops
from common.settings import Settings
from common.transcript import Engine
from common.usage import Usage

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_FULL_SCALE = 32768.0
_ISO_639 = re.compile(r"^([A-Za-z]{2,3})(?:-|$)")
_NEEDED_FILES = ("model.bin", "tokenizer.json")  # what is missing would be downloaded
# Four of the model's windows: as long as it gains from context, and a minute or two of
# work, so that another process soon finds what this one has done.
_LIMITS = Limits(max_chunk_ms=120_000, max_bytes=4_200_000)
_PATIENCE_SECONDS = 120  # for the one before; longer, and the queue may as well wait
_BUSY_SECONDS = 30  # a piece takes about so long on a good machine
# Seen when a folder, a name or the network is not what it should be.
_NOT_LOADED = (ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)


class WhisperSpeech:
    """Recognise speech with one model; one piece at a time, on all cores."""

    batch = None
    limits = _LIMITS

    def __init__(
        self, model: str, *, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        """Load nothing yet.

        Args:
            model: a folder, which is used without any network, or a name (``small``)
                that may be downloaded, unless ``HF_HUB_OFFLINE`` is set.
            patience_seconds: how long to wait while another piece is recognised.
        """
        self.engine = Engine("whisper", Path(model).name)
        self._name = model
        self._patience_seconds = patience_seconds
        self._loaded: WhisperModel | None = None
        self._loading = Lock()
        self._place = BoundedSemaphore(1)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the recogniser.

        Raises:
            BadRequest: no model is set.
        """
        if settings.whisper_model is None:
            raise BadRequest(
                "Provider 'whisper' is not configured: set PEGASUS_WHISPER_MODEL.",
                code="provider_not_configured",
            )
        return cls(settings.whisper_model)

    def recognize(
        self, flac: bytes, *, language: str, prompt: str | None = None
    ) -> Heard:
        """Return what is said; times that cannot be are mended or dropped.

        Raises:
            ProviderBusy: other pieces take all the time there is.
            ProviderError: the model cannot be loaded (``whisper_not_loaded``), or does
                not know the language (``language_unsupported``).
        """
        samples = _samples(flac)
        length_ms = len(samples) * 1000 // RATE
        model = self.model()
        code = _code(model, language)
        if not self._place.acquire(timeout=self._patience_seconds):
            raise ProviderBusy(
                "The local recogniser is busy.", retry_after_seconds=_BUSY_SECONDS
            )
        try:
            parts, heard = _listen(model, samples, code, prompt)
        finally:
            self._place.release()
        return Heard(
            segments=cut_loops(timed(parts, length_ms)),
            language=heard or language,
            usage=Usage(
                self.engine.provider,
                self.engine.model,
                audio_ms=length_ms,
                cost_usd_micros=0,
            ),
        )

    def model(self) -> "WhisperModel":
        """Return the model, loaded when it is first asked for."""
        with self._loading:
            if self._loaded is None:
                self._loaded = _load(self._name)
            return self._loaded


def _load(name: str) -> "WhisperModel":
    _require_files(name)
    try:
        from faster_whisper import WhisperModel  # noqa: PLC0415 - takes seconds

        return WhisperModel(name, device="cpu", compute_type="int8")
    except _NOT_LOADED as exc:
        raise _not_loaded(f"{type(exc).__name__}: {exc}") from exc


def _require_files(name: str) -> None:
    """Refuse a folder that is not whole, before anybody looks for it elsewhere."""
    folder = Path(name)
    if not folder.is_dir():
        if name.startswith((".", "~")) or folder.is_absolute():
            raise _not_loaded("there is no such folder")
        return
    missing = [file for file in _NEEDED_FILES if not (folder / file).is_file()]
    if missing:
        raise _not_loaded(f"the folder lacks {', '.join(missing)}")


def _not_loaded(reason: str) -> ProviderError:
    line = " ".join(reason.split())[:200]
    return ProviderError(
        f"The model of PEGASUS_WHISPER_MODEL cannot be loaded: {line}.",
        code="whisper_not_loaded",
    )


def _samples(flac: bytes) -> npt.NDArray[np.float32]:
    try:
        pcm = b"".join(decode(BytesIO(flac)))
    except UnreadableMedia as exc:
        raise ProviderError(f"The piece of audio is unreadable: {exc}") from exc
    return np.frombuffer(pcm, "<i2").astype(np.float32) / _FULL_SCALE


def _code(model: "WhisperModel", language: str) -> str | None:
    """Return the language as the model names it; None: let it find out."""
    found = _ISO_639.match(language)
    code = found[1].lower() if found else None
    if model.model.is_multilingual:
        return code if code in model.supported_languages else None
    if code not in {"en", "und", None}:
        raise ProviderError(
            f"The model of PEGASUS_WHISPER_MODEL knows English only, not {language!r}.",
            code="language_unsupported",
        )
    return "en"


def _listen(
    model: "WhisperModel",
    samples: npt.NDArray[np.float32],
    code: str | None,
    prompt: str | None,
) -> tuple[list[Part], str]:
    try:
        segments, about = model.transcribe(
            samples, language=code, initial_prompt=prompt
        )
        return [_part(segment) for segment in segments], about.language
    except (MemoryError, RuntimeError) as exc:  # ctranslate2's, e.g. out of memory
        raise ProviderUnavailable(
            f"The local recogniser failed ({type(exc).__name__})."
        ) from exc


def _part(segment: Any) -> Part:  # noqa: ANN401 - of a library without types
    return Part(
        start=segment.start,
        end=segment.end,
        text=segment.text,
        avg_logprob=segment.avg_logprob,
        no_speech_prob=segment.no_speech_prob,
        compression_ratio=segment.compression_ratio,
    )
