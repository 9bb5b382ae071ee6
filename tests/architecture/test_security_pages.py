"""What docs/security says is shown by tests, is: each of them exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "security").glob("*.md"))
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def _tests_in(path):
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page):
    named = _NAMED.findall(page.read_text())
    assert named
    absent = {
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or name not in _tests_in(path)
    }
    assert absent == set()


@pytest.mark.parametrize(("page", "count"), [("vidwiz.md", 40), ("quiz.md", 27)])
def test_every_weakness_has_a_row_and_every_row_a_test(page, count):
    text = (ROOT / "docs" / "security" / page).read_text()
    rows = [line for line in text.splitlines() if line.startswith("| W")]
    assert [row.split("|")[1].strip() for row in rows] == [
        f"W{number}" for number in range(1, count + 1)
    ]
    assert [row for row in rows if not _NAMED.search(row)] == []


def test_nothing_that_looks_like_a_test_is_missed():
    for page in PAGES:
        text = page.read_text()
        assert text.count("::test_") == len(_NAMED.findall(text))
