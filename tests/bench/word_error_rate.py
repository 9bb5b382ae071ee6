"""How many words the offline recogniser gets wrong, and how fast it is.

python -m tests.bench.word_error_rate [AUDIO REFERENCE_TEXT] [--processes N]
"""

import argparse
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.media.chunks import Cutter
from common.media.container import decode
from common.media.pcm import RATE
from common.providers.speech.pocketsphinx import PocketsphinxSpeech

_EXAMPLES = Path(__file__).parents[2] / "examples"
_DIGITS = "zero one two three four five six seven eight nine ten".split()  # noqa: SIM905


def main() -> None:
    """Print the figures for one recording."""
    args = _arguments()
    speech = PocketsphinxSpeech(processes=args.processes)
    with args.audio.open("rb") as source, ThreadPoolExecutor(16) as threads:
        limits = speech.limits
        cutter = Cutter(max_ms=limits.max_chunk_ms, max_bytes=limits.max_bytes)
        pieces = [piece.flac for piece in cutter.pieces(decode(source))]
        started = time.perf_counter()
        heard = threads.map(lambda flac: speech.recognize(flac, language="en"), pieces)
        segments = [segment for piece in heard for segment in piece.segments]
        seconds = time.perf_counter() - started
    total = cutter.total_samples / RATE
    expected = words_of(args.reference.read_text())
    rate = word_error_rate(expected, words_of(" ".join(s.text for s in segments)))
    doubtful = sum(bool(segment.flags) for segment in segments)
    print(f"{args.audio.name}: {total:.0f} s, {len(expected)} words")
    print(f"word error rate  {rate:.3f}")
    print(f"time             {seconds:.1f} s, {total / seconds:.1f} times real time")
    print(f"segments         {len(segments)}, {doubtful} of them flagged")


def words_of(text: str) -> list[str]:
    """Return the words in lower case, digits spelled, without punctuation."""
    plain = text.lower().replace("’", "'")  # noqa: RUF001
    found = re.findall(r"[\w']+", plain)
    return [_DIGITS[int(w)] if w in map(str, range(11)) else w for w in found]


def word_error_rate(expected: Sequence[str], heard: Sequence[str]) -> float:
    """Return wrong, missing and added words, per expected word."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(expected, 1):
        diagonal, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            best = min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other))
            diagonal, row[place] = row[place], best
    return row[-1] / len(expected)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    sample = _EXAMPLES / "how_vaccines_work.mp3"
    parser.add_argument("audio", nargs="?", type=Path, default=sample)
    parser.add_argument(
        "reference", nargs="?", type=Path, default=sample.with_suffix(".txt")
    )
    parser.add_argument("--processes", type=int, help="default: one per core")
    return parser.parse_args()


if __name__ == "__main__":
    main()
