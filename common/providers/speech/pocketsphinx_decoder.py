"""A decoder process: PCM in on stdin, words out on stdout, until stdin ends.

It is run by its path, not as a module: so it loads nothing but pocketsphinx, and a
crash or a long computation in C stays out of the service. Because it ends with its
stdin, it cannot outlive a service that was killed.

Request: length in bytes (4, big-endian), then 16 kHz mono PCM (16 bit, little-endian).
Answer: one line, a JSON list of ``{"word", "start_ms", "end_ms", "prob"}``.
"""

import json
import os
import sys
from array import array
from typing import Any, BinaryIO

from pocketsphinx import Decoder

_FRAME_MS = 10  # pocketsphinx' default frame rate: 100 per second
_SILENT = 64  # of 65 536 (-60 dB): the model hears "dog" in ten seconds of zeros
_FILLERS = ("<", "[", "+")  # <sil>, [NOISE], ++UM++: not words


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests in order until ``requests`` ends, even in mid-request."""
    decoder = Decoder(loglevel="FATAL")
    while len(header := requests.read(4)) == 4:  # noqa: PLR2004 - the length's own
        size = int.from_bytes(header, "big")
        pcm = requests.read(size)
        if len(pcm) < size:
            return
        answers.write(json.dumps(_words(decoder, pcm)).encode() + b"\n")
        answers.flush()


def _words(decoder: Any, pcm: bytes) -> list[dict[str, Any]]:  # noqa: ANN401 - untyped
    samples = array("h", pcm)
    if not samples or max(samples) - min(samples) < _SILENT:
        return []
    decoder.start_utt()
    # full_utt: mean and variance of this piece only, nothing of an earlier speaker.
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    return [
        {
            "word": segment.word.partition("(")[0],  # "the(2)": second pronunciation
            "start_ms": segment.start_frame * _FRAME_MS,
            "end_ms": (segment.end_frame + 1) * _FRAME_MS,
            "prob": round(segment.prob, 3),
        }
        for segment in decoder.seg() or ()
        if not segment.word.startswith(_FILLERS)
    ]


if __name__ == "__main__":
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except (BrokenPipeError, KeyboardInterrupt):  # the service went away, or Ctrl-C
        os._exit(0)
