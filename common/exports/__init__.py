"""The formats that a lecture can be exported to: one module and one row each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from common.exports import anki, apkg, markdown, pdf, srt, vtt
from common.study import StudyPack


@dataclass(frozen=True, slots=True)
class Format:
    """One export format.

    ``render`` gives the same bytes for the same pack. ``extension`` begins with a dot.
    A format that requires only the transcript reads nothing but ``segments``.
    """

    render: Callable[[StudyPack], bytes]
    extension: str
    media_type: str
    requires: Literal["study", "transcript"]


FORMATS: dict[str, Format] = {
    "markdown": Format(markdown.render, ".md", "text/markdown; charset=utf-8", "study"),
    "anki": Format(anki.render, ".csv", "text/csv; charset=utf-8", "study"),
    "pdf": Format(pdf.render, ".pdf", "application/pdf", "study"),
    "apkg": Format(apkg.render, ".apkg", "application/vnd.anki", "study"),
    "srt": Format(srt.render, ".srt", "application/x-subrip", "transcript"),
    "vtt": Format(vtt.render, ".vtt", "text/vtt; charset=utf-8", "transcript"),
}
