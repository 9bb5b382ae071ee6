"""WebVTT subtitles."""

from collections.abc import Sequence
from html import escape

from common.exports.subtitles import Cue, cues, timestamp
from common.study import StudyPack
from common.transcript import Segment


def render(pack: StudyPack) -> bytes:
    """Return the transcript as WebVTT; a file without cues if nobody spoke."""
    return from_segments(pack.segments)


def from_segments(segments: Sequence[Segment]) -> bytes:
    """Return ``segments`` as WebVTT; needs no study material."""
    return "\n".join(["WEBVTT\n", *map(_block, cues(segments))]).encode()


def _block(cue: Cue) -> str:
    start, end = timestamp(cue.start_ms, "."), timestamp(cue.end_ms, ".")
    text = "\n".join(escape(line, quote=False) for line in cue.lines)
    return f"{start} --> {end}\n{text}\n"
