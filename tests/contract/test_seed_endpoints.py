"""Every endpoint that the API was asked to have is there, and some test calls it.

A call counts if a test's own text names method and path, as ``api.get("/courses")`` or
``api.post(f"/jobs/{id_}/replay")``; what a test is given in a variable does not count.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.exceptions import HTTPException

from api_service.routes.projects import TWIN

HERE = Path(__file__).parent
TESTS = (HERE.parent / "api", HERE.parent / "architecture")
# Its address is handed out by another route, so no test writes it down.
HANDED_OUT = {"upload_contents.receive"}
SOME_ID = "00000000-0000-0000-0000-000000000000"
# These ask each route the same question, whatever it is for.
GENERAL = {"test_query_counts.py", "test_auth_matrix.py", "test_parallel.py"}
ENDPOINTS = [
    tuple(line.split())
    for line in (HERE / "seed_endpoints.txt").read_text().splitlines()
]
PROJECT_ENDPOINTS = [
    tuple(line.split())
    for line in (HERE / "project_endpoints.txt").read_text().splitlines()
]


def calls() -> Iterator[tuple[str, str]]:
    """Yield the method and path of each call in the text of the API's tests."""
    files = [file for folder in TESTS for file in folder.glob("test_*.py")]
    for file in [*files, HERE.parent / "sending.py"]:
        if file.name in GENERAL:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                path = path_of(node.args[0]) if node.args else ""
                if path.startswith("/"):
                    yield node.func.attr.upper(), path.partition("?")[0]


def path_of(node: ast.expr) -> str:
    """Return a path as it is written; what is filled in becomes an ``x``."""
    if isinstance(node, ast.JoinedStr):
        return "".join(path_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "x"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""


@pytest.fixture
def endpoint_of(api):
    adapter = api.application.url_map.bind("localhost")

    def find(method, path):
        for way in (path, re.sub(r"(?<=/)x(?=/|$)", SOME_ID, path)):
            try:
                return adapter.match(way, method=method)[0]
            except HTTPException:
                continue
        return None

    return find


@pytest.fixture
def called(endpoint_of):
    return {endpoint_of(method, path) for method, path in calls()} - {None}


def filled(path):
    """Return the path with ids that lead to no route of another name."""
    return path.replace("{", "").replace("}", "")


def test_the_list_is_whole():
    assert len(ENDPOINTS) == len(set(ENDPOINTS)) == 28


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_an_endpoint_has_a_route_and_a_test(api, endpoint_of, called, method, path):
    endpoint = endpoint_of(method, filled(path))
    assert endpoint, "no route"
    rules = {
        rule.rule.replace("<", "{").replace(">", "}")
        for rule in api.application.url_map.iter_rules(endpoint)
    }
    assert path in rules, "another route answers"
    assert endpoint in called, "no test calls it"


def test_so_has_every_other_route(api, called):
    """No route is older than its first test; that under /api is the same function."""
    views = api.application.view_functions
    twins = {f"{TWIN}{endpoint}" for endpoint in called} & set(views)
    rules = api.application.url_map.iter_rules()
    sockets = {rule.endpoint for rule in rules if rule.websocket}  # by real clients
    assert set(views) - called - twins - sockets - HANDED_OUT == set()
    for twin in twins:
        assert views[twin] is views[twin.removeprefix(TWIN)]


@pytest.mark.parametrize(("method", "path"), PROJECT_ENDPOINTS)
def test_an_endpoint_of_projects_has_two_addresses_and_a_test(
    endpoint_of, called, method, path
):
    endpoint = endpoint_of(method, filled(path))
    assert endpoint in called
    assert endpoint_of(method, f"/api{filled(path)}") == f"{TWIN}{endpoint}"
