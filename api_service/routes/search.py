"""Search in what was said, made and noted, with the moment at which it is said."""

import html
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from api_service import findings
from api_service.context import query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people.callers import caller
from common import videos
from common.grounding.plain import words
from common.study_index import TAUGHT

bp = Blueprint("search", __name__, url_prefix="/search")

Kind = Literal["transcript", "artifact", "note"]
_KINDS: tuple[Kind, ...] = ("transcript", "artifact", "note")
_USUAL, _MOST = 20, 50  # results on a page
_MOST_LETTERS = 20_000  # of a text that is looked through for its best passage


class SearchQuery(PageQuery):
    """What to look for: words, "a phrase", ``or``, and ``-without``."""

    q: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)] = Field(
        max_length=200
    )
    kind: Kind | None = None
    course_id: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=_MOST)] = _USUAL
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0


class Found(BaseModel):
    """One place. ``snippet`` is HTML in which only ``<mark>`` is markup.

    ``link`` leads to the moment: of our media, of a file, or on YouTube.
    """

    kind: Kind
    title: str | None
    snippet: str
    start_ms: int | None
    end_ms: int | None
    page: int | None
    link: str | None
    lecture_id: str | None
    course_id: str | None
    video_id: str | None
    asset_id: UUID | None
    artifact_type: str | None
    note_id: int | None


class SearchResults(BaseModel):
    """A page of what was found, best first."""

    query: str
    results: list[Found]
    pagination: Pagination


@bp.get("")
@describes(query=SearchQuery, gives=SearchResults)
def find() -> ResponseReturnValue:
    """Search transcripts, study material and the caller's own notes."""
    wanted = query(SearchQuery)
    kinds = _KINDS if wanted.kind is None else (wanted.kind,)
    values = {
        "user_id": caller().user_id,
        "course_id": wanted.course_id,
        "most": wanted.limit,
        "skipped": wanted.offset,
    }
    with reading() as session:
        rows = findings.page(session, wanted.q, kinds, values)
        total = rows[0].total if rows else 0
        shown = [_Hit(row, wanted.q) for row in rows if row.kind is not None]
        texts = [(hit.row.language, hit.text) for hit in shown]
        lines = findings.headlines(session, wanted.q, texts)
    results = [hit.out(line) for hit, line in zip(shown, lines, strict=True)]
    return {
        "query": wanted.q,
        "results": results,
        "pagination": pagination(wanted, count=len(results), total=total),
    }


class _Hit:
    """A row that was found, and what of it is shown."""

    def __init__(self, row: Row[*tuple[Any, ...]], q: str) -> None:
        self.row = row
        self._cited: Mapping[str, Any] = {}
        match row.kind:
            case "transcript":
                self.text = row.said
                self._cited = {"start_ms": row.start_ms, "end_ms": row.end_ms}
                self._cited = {**self._cited, "page": row.page}
            case "note":
                self.text = row.noted
                moment = videos.moment_ms(row.timestamp)
                self._cited = {"start_ms": moment, "end_ms": moment}
            case _:
                self.text, self._cited = _best_item(row.document, q)
        self.text = self.text[:_MOST_LETTERS]

    def out(self, headline: str) -> dict[str, Any]:
        """Return the hit as clients see it."""
        row, page = self.row, self._cited.get("page")
        return {
            "kind": row.kind,
            "title": row.lecture_title or row.video_title or row.original_filename,
            "snippet": _snippet(headline),
            "start_ms": self._cited.get("start_ms") if page is None else None,
            "end_ms": self._cited.get("end_ms") if page is None else None,
            "page": page,
            "link": self._link(page),
            "lecture_id": row.lecture_id,
            "course_id": row.course_id,
            "video_id": row.video_id,
            "asset_id": row.asset_id and str(row.asset_id),
            "artifact_type": row.artifact_type,
            "note_id": row.note_id,
        }

    def _link(self, page: int | None) -> str | None:
        row, ms = self.row, self._cited.get("start_ms")
        if row.video_id is not None:
            place = "" if ms is None else f"&t={ms // 1000}s"
            return f"https://www.youtube.com/watch?v={quote(row.video_id)}{place}"
        place = "" if ms is None else f"#t={ms / 1000:g}"
        place = place if page is None else f"#page={page}"
        if row.lecture_id is not None:
            return f"/lectures/{quote(row.lecture_id, safe='')}/media{place}"
        return f"/storage/{quote(row.relative_path)}{place}"


def _best_item(document: Mapping[str, Any], q: str) -> tuple[str, Mapping[str, Any]]:
    """Return the text of the item that has most of the words, and what it cites."""
    wanted = {word for word, _, _ in words(q)}
    items = list(_items(document, {})) or [("", {})]
    return max(items, key=lambda item: _share(item[0], wanted))


def _share(said: str, wanted: set[str]) -> int:
    """Return how much of the words a text has; other forms of a word count, too."""
    found = {word for word, _, _ in words(said)}
    exact = len(found & wanted)
    stems = {word[:4] for word in found} & {word[:4] for word in wanted}
    return 2 * exact + len(stems)


def _items(
    node: Mapping[str, Any], cited: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each object of a document as text, with its first citation."""
    citations = node.get("citations") or []
    cited = citations[0] if citations else cited
    said = [node[key] for key in TAUGHT if key in node]
    lines = [one for one in chain.from_iterable(map(_texts, said)) if one]
    if lines:
        yield " · ".join(lines), cited
    for child in chain.from_iterable(map(_objects, node.values())):
        yield from _items(child, cited)


def _texts(value: object) -> Sequence[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def _snippet(headline: str) -> str:
    """Return what was found with its words marked, and nothing else as markup."""
    escaped = html.escape(headline)
    marked = escaped.replace(findings.MARK, "<mark>")
    return marked.replace(findings.UNMARK, "</mark>")
