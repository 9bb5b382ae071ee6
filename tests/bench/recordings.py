"""Long recordings, written piece by piece."""

import wave
from pathlib import Path

from tests.media_samples import bursts

_SPOKEN_SECONDS = 60
_SPOKEN = [(start, start + 5.2) for start in range(0, _SPOKEN_SECONDS, 6)]


def wav(path: Path, *, size_bytes: int) -> Path:
    """Write a stereo WAV with speech-like sound, of about so many bytes."""
    rate = 48_000
    minute = bursts(_SPOKEN_SECONDS, _SPOKEN, rate=rate).repeat(2).tobytes()
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, rate, 0, "NONE", ""))
        for _ in range(max(1, size_bytes // len(minute))):
            file.writeframes(minute)
    return path


def silence(path: Path, *, seconds: int) -> Path:
    """Write a WAV in which nobody speaks."""
    rate = 16_000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        for _ in range(seconds):
            file.writeframes(bytes(2 * rate))
    return path
