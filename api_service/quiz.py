"""What is different for the clients of the Quiz System: they know no other errors."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from flask import request

_FIRST = frozenset(("api", "info", "projects", "storage"))  # parts of their paths
_PLACES = ("body", "path", "query")


def is_asked() -> bool:
    """Return whether one of their paths was called."""
    return request.path.lstrip("/").partition("/")[0] in _FIRST


def errors(problems: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what is wrong with each field, by its name: ``payload.asset_id``.

    The form is theirs: their readers fail at anything but lists of texts by name.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        place = [str(part) for part in problem["loc"]]
        name = place[1:] if place[:1] and place[0] in _PLACES else place
        found[".".join(name) or place[0]].append(str(problem["msg"]))
    return dict(found)
