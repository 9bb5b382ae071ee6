"""SRT and WebVTT files, and what was said, as lines of the film."""

import re
from collections.abc import Iterable, Iterator, Sequence

from common.errors import InvalidInput
from common.exports.lines import clean
from common.exports.subtitles import cues
from common.timeline.plan import Line, Plan
from common.timeline.request import Subtitles
from common.transcript import Segment

MAX_BYTES = 2 * 1024 * 1024  # twelve hours of talk are 1 MB
_MOST_LINES = 20_000
_ENCODINGS = re.compile(
    r"utf-?(?:8|16(?:le|be)?)(?:-sig)?|ascii|us-ascii|latin-?1|iso-?8859-\d{1,2}"
    r"|(?:cp|windows-?)125\d|koi8-[ru]|shift_jis|euc-(?:jp|kr)|gb2312|gbk|gb18030|big5",
    re.IGNORECASE,
)
_TIMES = re.compile(
    r"(?:(\d{1,3}):)?([0-5]?\d):([0-5]\d)[.,](\d{3})[ \t]+-->"
    r"[ \t]+(?:(\d{1,3}):)?([0-5]?\d):([0-5]\d)[.,](\d{3})"
)
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")
_STYLE = re.compile(r"(\w{1,30})=([^,]{1,40})")
_SIZES = range(4, 200)
_ABOVE = frozenset("56789")  # top: 5 to 7 in SSA, 7 to 9 in ASS


def parse(content: bytes, encoding: str = "utf-8") -> list[Segment]:
    """Return what a subtitle file says, in time order.

    Raises:
        InvalidInput: it is neither SRT nor WebVTT, or not of that encoding.
    """
    text = _decoded(content, encoding).replace("\r\n", "\n").replace("\r", "\n")
    found: list[Segment] = []
    for block in re.split(r"\n[ \t]*\n", text):
        head, mark, body = _halves(block)
        if not mark:
            continue
        words = clean(_TAG.sub("", body))
        start_ms, end_ms = _milliseconds(head[:4]), _milliseconds(head[4:])
        if words and end_ms > start_ms:
            found.append(Segment(start_ms, end_ms, words))
        if len(found) > _MOST_LINES:
            raise InvalidInput("The subtitle file has too many lines.")
    if not found:
        raise InvalidInput(
            "The subtitle file is neither SRT nor WebVTT.", code="subtitles_unreadable"
        )
    return sorted(found, key=lambda s: (s.start_ms, s.end_ms))


def lines(
    plan: Plan, segments: Iterable[Segment], wanted: Subtitles, *, span: int | None
) -> Iterator[Line]:
    """Yield lines of the film; what lies outside is left out.

    Args:
        plan: of the film.
        segments: in time of the film, or of the clip ``span`` from its first frame.
        wanted: how they look.
        span: the clip that they belong to, if any.
    """
    start, end = 0, plan.milliseconds(plan.frames)
    if span is not None:
        start = plan.milliseconds(plan.spans[span].first)
        end = plan.milliseconds(plan.spans[span].end)
    look = _look(wanted.force_style)
    for cue in cues(_moved(segments, start)):
        if start <= cue.start_ms < end and cue.start_ms < min(cue.end_ms, end):
            yield look.model_copy(
                update={
                    "start_ms": cue.start_ms,
                    "end_ms": min(cue.end_ms, end),
                    "text": "\n".join(cue.lines),
                }
            )


def cut_out(
    segments: Iterable[Segment], *, start_ms: int, end_ms: int
) -> Sequence[Segment]:
    """Return what is said in a stretch of a video, in time from its start."""
    return [
        Segment(
            max(s.start_ms, start_ms) - start_ms,
            min(s.end_ms, end_ms) - start_ms,
            s.text,
        )
        for s in segments
        if s.start_ms < end_ms and s.end_ms > start_ms
    ]


def _decoded(content: bytes, encoding: str) -> str:
    if not _ENCODINGS.fullmatch(encoding):
        raise InvalidInput(
            "The encoding of the subtitles is not known.", code="subtitles_unreadable"
        )
    if encoding.lower() in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
    try:
        return content.decode(encoding)
    except (UnicodeError, LookupError):
        raise InvalidInput(
            f"The subtitle file is not {encoding} text.", code="subtitles_unreadable"
        ) from None


def _halves(block: str) -> tuple[tuple[str, ...], bool, str]:
    """Return the numbers of a block's line of times, and the text below it."""
    found = _TIMES.search(block)
    if found is None:
        return (), False, ""
    body = block[found.end() :].partition("\n")[2]  # settings stand on the same line
    return tuple(part or "0" for part in found.groups()), True, body


def _milliseconds(parts: Sequence[str]) -> int:
    hours, minutes, seconds, rest = map(int, parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def _moved(segments: Iterable[Segment], by_ms: int) -> list[Segment]:
    return [Segment(s.start_ms + by_ms, s.end_ms + by_ms, s.text) for s in segments]


def _look(force_style: str) -> Line:
    """Return an empty line in the style asked for; what is unknown is passed over."""
    given = dict(_STYLE.findall(force_style))
    size = given.get("FontSize", "").strip()
    colour = re.fullmatch(
        r"&H(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})&?", given.get("PrimaryColour", "")
    )
    blue, green, red = bytes.fromhex(colour[1] if colour else "ffffff")
    return Line(
        start_ms=0,
        end_ms=0,
        text="",
        size=int(size) if size.isdecimal() and int(size) in _SIZES else None,
        top=given.get("Alignment", "").strip() in _ABOVE,
        colour=(red, green, blue),
    )
