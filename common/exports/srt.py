"""SubRip subtitles."""

from collections.abc import Sequence

from common.exports.lines import untag
from common.exports.subtitles import Cue, cues, timestamp
from common.study import StudyPack
from common.transcript import Segment


def render(pack: StudyPack) -> bytes:
    """Return the transcript as SubRip, UTF-8; empty if nobody spoke."""
    return from_segments(pack.segments)


def from_segments(segments: Sequence[Segment]) -> bytes:
    """Return ``segments`` as SubRip; needs no study material."""
    blocks = (_block(i, cue) for i, cue in enumerate(cues(segments), start=1))
    return "\n".join(blocks).encode()


def _block(number: int, cue: Cue) -> str:
    start, end = timestamp(cue.start_ms, ","), timestamp(cue.end_ms, ",")
    text = "\n".join(map(_plain, cue.lines))
    return f"{number}\n{start} --> {end}\n{text}\n"


def _plain(line: str) -> str:
    """SubRip has no escapes: what players take for tags or arrows is respelled."""
    return untag(line).replace("{\\", "{ \\").replace("-->", "\u2192")
