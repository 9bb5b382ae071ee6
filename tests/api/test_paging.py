"""Pages: one rule for all listings."""

import pytest

from api_service.paging import PageQuery, pagination
from tests import factories
from tests.factories import minute

LISTINGS = {
    "/lectures": ("lectures", "id"),
    "/lectures/l0/jobs": ("jobs", "id"),
    "/lectures/l0/artifacts": ("artifactRecords", "artifact_type"),
}
TYPES = ("exam-questions", "flashcards", "key-terms")


@pytest.fixture(autouse=True)
def three_of_each(db):
    for number in range(3):
        factories.lecture(db, f"l{number}", created_at=minute(number))
        factories.job(db, "l0", state="failed", created_at=minute(number))
        factories.artifact(db, "l0", TYPES[number])


@pytest.mark.parametrize("path", LISTINGS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (None, 0, 3, 3, False, None, None)),
        ("limit=1", (1, 0, 1, 3, True, 1, None)),
        ("limit=1&offset=1", (1, 1, 1, 3, True, 2, 0)),
        ("limit=2&offset=2", (2, 2, 1, 3, False, None, 0)),
        ("limit=3", (3, 0, 3, 3, False, None, None)),
        ("limit=100", (100, 0, 3, 3, False, None, None)),
        ("offset=1", (None, 1, 2, 3, False, None, 0)),
        ("offset=6", (None, 6, 0, 3, False, None, 5)),
        ("limit=2&offset=9", (2, 9, 0, 3, False, None, 7)),
        ("limit=0", (0, 0, 0, 3, True, 0, None)),
        ("limit=0&offset=2", (0, 2, 0, 3, True, 2, 1)),
        ("limit=0&offset=3", (0, 3, 0, 3, False, None, 2)),
        ("offset=0", (None, 0, 3, 3, False, None, None)),
    ],
)
def test_a_page_tells_where_it_lies(api, path, query, expected):
    keys = ("limit", "offset", "count", "total", "hasMore", "nextOffset", "prevOffset")
    reply = api.get(f"{path}?{query}").json
    assert list(reply["pagination"].items()) == list(zip(keys, expected, strict=True))
    assert len(reply[LISTINGS[path][0]]) == expected[2]


@pytest.mark.parametrize("path", LISTINGS)
def test_following_the_pages_shows_every_row_once(api, path):
    rows, key = LISTINGS[path]
    seen, offset = [], 0
    while offset is not None:
        page = api.get(f"{path}?limit=2&offset={offset}").json
        seen += [row[key] for row in page[rows]]
        offset = page["pagination"]["nextOffset"]
    assert seen == [row[key] for row in api.get(path).json[rows]]
    assert len(set(seen)) == 3


def test_going_back_leads_to_the_beginning():
    query, offset, steps = PageQuery(limit=4, offset=10), 10, []
    while offset is not None:
        query = PageQuery(limit=4, offset=offset)
        offset = pagination(query, count=4, total=20)["prevOffset"]
        steps.append(offset)
    assert steps == [6, 2, 0, None]
