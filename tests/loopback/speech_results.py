"""What Google's recogniser answers, in the shape in which it was seen to answer.

Times are seconds, as in Google's own JSON; milliseconds are rounded to 10.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any, BinaryIO

import av
from google.cloud import speech_v2 as api
from google.protobuf.duration_pb2 import Duration

RATE = 16_000
TEXT = (
    "A cell is the smallest unit of life. The membrane is a barrier that keeps the"
    " inside of the cell apart from its surroundings. Osmosis is the movement of water"
    " through a membrane towards the side with more dissolved matter. Mitochondria are"
    " the parts of a cell that turn sugar into energy, which is called respiration."
)
_WORDS_A_SECOND = 2.5
_WORDS_A_RESULT = 40


def heard(seconds: float, text: str = TEXT, **about: Any) -> list[Any]:
    """Return results for sound in which ``text`` is said again and again."""
    count = max(1, int(seconds * _WORDS_A_SECOND))
    said = [word for word, _ in zip(cycle(text.split()), range(count), strict=False)]
    words = [
        (word, n / _WORDS_A_SECOND, n / _WORDS_A_SECOND + 0.3)
        for n, word in enumerate(said)
    ]
    return [
        result(words[start : start + _WORDS_A_RESULT], **about)
        for start in range(0, len(words), _WORDS_A_RESULT)
    ]


def result(
    words: Sequence[tuple[str, float, float]],
    *,
    confidence: float = 0.92,
    language: str = "en-us",
) -> Any:
    """Return one result: words with start and end."""
    return api.SpeechRecognitionResult(
        alternatives=[
            api.SpeechRecognitionAlternative(
                transcript=" " + " ".join(word for word, _, _ in words),
                confidence=confidence,
                words=[
                    api.WordInfo(
                        word=word, start_offset=offset(start), end_offset=offset(end)
                    )
                    for word, start, end in words
                ],
            )
        ],
        result_end_offset=offset(words[-1][2]),
        language_code=language,
    )


def untimed(text: str, end: float, *, language: str = "en-us") -> Any:
    """Return one result without words, as for a model that gives no times."""
    best = api.SpeechRecognitionAlternative(transcript=text, confidence=0.9)
    return api.SpeechRecognitionResult(
        alternatives=[best], result_end_offset=offset(end), language_code=language
    )


def nothing(end: float) -> Any:
    """Return a result without any alternative, as Google gives for a noise."""
    return api.SpeechRecognitionResult(result_end_offset=offset(end))


def metadata(seconds: float) -> Any:
    """Return how much is billed: whole seconds."""
    billed = Duration(seconds=-int(-seconds // 1))
    return api.RecognitionResponseMetadata(total_billed_duration=billed)


def offset(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))


def seconds_of(sound: BinaryIO | bytes) -> float | None:
    """Return the length of mono FLAC at 16 kHz; None if it is anything else."""
    file = io.BytesIO(sound) if isinstance(sound, bytes) else sound
    try:
        with av.open(file, "r", format="flac") as media:
            stream = media.streams.audio[0]
            if (stream.rate, stream.channels) != (RATE, 1):
                return None
            return sum(_samples(media)) / RATE
    except (av.FFmpegError, EOFError):
        return None


def _samples(media: Any) -> Iterator[int]:
    for frame in media.decode(audio=0):
        yield frame.samples
