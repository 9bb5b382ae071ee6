"""The plan of a transcription: which pieces of a recording are recognised, and how.

A plan is kept in the job's checkpoint as ``total_samples``, ``created_at``, ``pieces``
(lists of start sample, end sample, SHA-256 of the samples) and ``batch``: whether the
one piece is too long for a call, so that the recogniser reads it where it is stored.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO, cast

from common import object_keys, objects
from common.jobs import Recognition
from common.media.ahead import ahead
from common.media.chunks import Cutter, Piece
from common.media.container import decode
from common.media.flac import FlacStream
from common.media.pcm import RATE, SAMPLE_BYTES
from common.providers.speech import BatchSpeech, Limits
from worker_service.work import Work

# Of 64 KiB, 4 MiB in all: most of what is decoded while a piece is encoded.
_BLOCKS_AHEAD = 64


class _TooLong(Exception):
    """The recording is longer than one batch may be."""


def plan(work: Work[Recognition], object_key: str) -> dict[str, Any]:
    """Store the sound to be recognised; return where it lies.

    Short sound goes in a call, and so do pieces of long sound, unless the recogniser
    can read what we store: then it gets the whole recording as one object.
    """
    speech = work.deps.speech(work.payload.provider, work.payload.model)
    batch = speech.batch
    found = None
    if batch is not None and batch.takes(work.deps.storage.uri(_key(work, 0))):
        found = _whole(work, object_key, batch, at_least_ms=speech.limits.max_chunk_ms)
    return found or _pieces(work, object_key, speech.limits)


def _pieces(work: Work[Recognition], object_key: str, limits: Limits) -> dict[str, Any]:
    """Cut the recording at pauses; a piece is stored while the next one is read."""
    cutter = Cutter(max_ms=limits.max_chunk_ms, max_bytes=limits.max_bytes)
    pieces: list[list[Any]] = []
    with _sound(work, object_key) as pcm, ThreadPoolExecutor(1) as storing:
        stored: Future[list[Any]] | None = None
        for number, piece in enumerate(cutter.pieces(pcm)):
            work.pulse.check()
            if stored is not None:
                pieces.append(stored.result())  # at most one waits: each may be 50 MB
            _doom(work, number)
            stored = storing.submit(_store, work, number, piece)
            del piece  # held by the one that stores it, and no longer than that
        if stored is not None:
            pieces.append(stored.result())
    return _document(cutter.total_samples, pieces, batch=False)


def _store(work: Work[Recognition], number: int, piece: Piece) -> list[Any]:
    """Store a piece; return how the plan tells of it."""
    work.deps.storage.write(_key(work, number), BytesIO(piece.flac))
    return [piece.start_sample, piece.end_sample, piece.sha256]


def _whole(
    work: Work[Recognition], object_key: str, batch: BatchSpeech, *, at_least_ms: int
) -> dict[str, Any] | None:
    """Store the recording as one object; return None if it is too short or too long.

    Silence is not cut out, so that times need no mending; all silence has no piece.
    """
    with _sound(work, object_key) as pcm:
        first = _first(pcm, at_least_ms)
        if _milliseconds(first) <= at_least_ms:
            return None
        sound = FlacStream(_watched(work, chain(first, pcm), batch.max_ms))
        _doom(work, 0)
        try:
            work.deps.storage.write(_key(work, 0), cast("BinaryIO", sound))
        except _TooLong:
            return None
    pieces = [[0, sound.total_samples, sound.sha256]] if sound.heard else []
    return _document(sound.total_samples, pieces, batch=True)


@contextmanager
def _sound(work: Work[Recognition], object_key: str) -> Iterator[Iterator[bytes]]:
    """Yield the recording's samples, decoded in a thread of its own."""
    with (
        work.deps.storage.read(object_key) as source,
        ahead(decode(source), at_most=_BLOCKS_AHEAD) as pcm,
    ):
        yield pcm


def _first(pcm: Iterator[bytes], more_than_ms: int) -> list[bytes]:
    """Take blocks until they hold more than this, or until there are no more."""
    first: list[bytes] = []
    while _milliseconds(first) <= more_than_ms:
        block = next(pcm, None)
        if block is None:
            break
        first.append(block)
    return first


def _watched(
    work: Work[Recognition], pcm: Iterable[bytes], max_ms: int
) -> Iterator[bytes]:
    """Pass on blocks for as long as the job is ours and the batch is not too long."""
    most_bytes = max_ms * RATE // 1000 * SAMPLE_BYTES
    passed = 0
    for block in pcm:
        work.pulse.check()
        passed += len(block)
        if passed > most_bytes:
            raise _TooLong
        yield block


def _milliseconds(blocks: list[bytes]) -> int:
    return sum(map(len, blocks)) * 1000 // (RATE * SAMPLE_BYTES)


def _key(work: Work[Recognition], number: int) -> str:
    return object_keys.piece(work.lease.job_id, number)


def _doom(work: Work[Recognition], number: int) -> None:
    """Keep a piece until the transcript is done, or for a day if it never is."""
    with work.deps.db.begin() as session:
        objects.doom(session, [_key(work, number)], after=objects.GRACE)


def _document(
    total_samples: int, pieces: list[list[Any]], *, batch: bool
) -> dict[str, Any]:
    return {
        "total_samples": total_samples,
        "created_at": datetime.now(UTC).isoformat(),
        "pieces": pieces,
        "batch": batch,
    }
