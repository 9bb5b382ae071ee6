"""Pages of a listing, in the one form that all listings share."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

_INT64 = 2**63 - 1


class PageQuery(BaseModel):
    """``limit`` and ``offset``; without a limit everything is returned."""

    limit: Annotated[int, Field(ge=0, le=_INT64)] | None = None
    offset: Annotated[int, Field(ge=0, le=_INT64)] | None = None


class Pagination(BaseModel):
    """Where a page lies in its listing."""

    limit: int | None
    offset: int
    count: int
    total: int
    hasMore: bool
    nextOffset: int | None
    prevOffset: int | None


def pagination(page: PageQuery, *, count: int, total: int) -> dict[str, Any]:
    """Return where a page of ``count`` rows of ``total`` lies."""
    offset = page.offset or 0
    has_more = offset + count < total
    size = (count if page.limit is None else page.limit) or 1
    return {
        "limit": page.limit,
        "offset": offset,
        "count": count,
        "total": total,
        "hasMore": has_more,
        "nextOffset": offset + count if has_more else None,
        "prevOffset": max(0, offset - size) if offset > 0 else None,
    }
