"""The page that shows the API to a person; it works without the internet."""

import re
from html.parser import HTMLParser

import pytest

from tests.api.guards import with_settings


class References(HTMLParser):
    """Collects what a page loads or links to."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, _tag, attributes):
        self.found += [v for k, v in attributes if k in ("src", "href", "action")]


def test_the_page_and_all_that_it_needs_come_from_here(api):
    reply = api.get("/docs")
    assert reply.status_code == 200
    assert reply.content_type.startswith("text/html")
    references = [
        one for one in References(reply.text).found if not one.startswith("data:")
    ]
    assert len(references) >= 3
    for reference in references:
        assert reference.startswith("/")
        assert not reference.startswith("//")
        assert api.get(reference).status_code == 200
    assert not re.search(r"https?:|[\"'(]//", reply.text)


def test_the_pages_styles_load_nothing_from_elsewhere(api):
    styles = [r for r in References(api.get("/docs").text).found if r.endswith(".css")]
    for style in styles:
        text = api.get(style).text
        loaded = re.findall(r"@import\s+[^;]+|url\(\s*['\"]?([^)'\"]+)", text)
        assert [one for one in loaded if not one.startswith("data:")] == []


@pytest.mark.parametrize(
    "name", ["../../__init__.py", "%2e%2e/%2e%2e/__init__.py", "none"]
)
def test_only_the_pages_own_files_are_served(api, name):
    assert api.get(f"/docs/assets/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/assets/index.css"])
def test_in_production_strangers_read_nothing_about_the_api(api, deps, path):
    assert api.get("/docs").status_code == 200
    api.application.extensions["deps"] = with_settings(deps, environment="production")
    reply = api.get(path)
    assert (reply.status_code, reply.json["detail"]) == (404, "Not Found")
    enabled = with_settings(deps, environment="production", docs="on")
    api.application.extensions["deps"] = enabled
    assert api.get("/docs").status_code == 200
