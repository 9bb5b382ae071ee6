"""The rules of the house that a machine can check."""

import ast
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest
from flask import Blueprint

import api_service.routes
import common.exports
import common.models
import worker_service.handlers
from common import errors
from common.jobs import payloads
from common.jobs.payloads import Payload

ROOT = Path(__file__).parents[2]
PACKAGES = ("api_service", "worker_service", "common")
MODULES = {
    str(path.relative_to(ROOT)): path.read_text()
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
TREES = {name: ast.parse(text) for name, text in MODULES.items()}
HAND_WRITTEN = [name for name in MODULES if "/migrations/versions/" not in name]
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions():
    for name in HAND_WRITTEN:
        for node in ast.walk(TREES[name]):
            if isinstance(node, FUNCTION):
                yield f"{name}:{node.name}", node


def body_lines(node):
    """Return how long a function is without its signature and docstring."""
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = first.end_lineno if documented else first.lineno - 1
    return node.end_lineno - start


def classes_below(base):
    for child in base.__subclasses__():
        yield child
        yield from classes_below(child)


def our_errors():
    return [one for one in vars(errors).values() if inspect.isclass(one)]


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_a_module_fits_in_the_head(name):
    assert len(MODULES[name].splitlines()) <= 300


def test_no_function_is_longer_than_a_screen():
    assert {name: n for name, node in functions() if (n := body_lines(node)) > 50} == {}


def test_most_functions_are_short():
    lengths = sorted(body_lines(node) for _, node in functions())
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 25


def test_only_leaving_a_block_commits():
    assert [
        name for name, text in MODULES.items() if re.search(r"\.commit\(", text)
    ] == []


def test_bugs_are_caught_in_one_place_only():
    """The API's is a registration (``errors.register``), so it catches nothing."""
    catching = set()
    for name in HAND_WRITTEN:
        for node in ast.walk(TREES[name]):
            if isinstance(node, ast.ExceptHandler) and catches_all(node):
                catching.add(name)
    assert catching <= {"worker_service/dispatch.py"}


def catches_all(handler):
    """Tell whether bugs end here; who cleans up and raises again lets them pass."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    if handler.type is None:
        return True
    named = {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)}
    return bool(named & {"Exception", "BaseException"})


def test_no_failure_is_passed_over_in_silence():
    silent = [
        f"{name}:{node.lineno}"
        for name in HAND_WRITTEN
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass)
    ]
    assert silent == []


def test_nothing_is_left_for_later():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?! #\d)")
    assert [name for name, text in MODULES.items() if words.search(text)] == []


def test_no_module_or_function_has_a_name_that_says_nothing():
    empty = {"utils", "util", "helpers", "helper", "misc", "manager", "impl", "info"}
    names = {part for name in MODULES for part in Path(name).with_suffix("").parts}
    names |= {node.name.strip("_") for _, node in functions()}
    assert names & (empty | {"data", "process"}) == set()


def test_every_error_has_a_message_of_its_own():
    texts = [(one.__doc__ or "").partition("\n")[0] for one in our_errors()]
    assert all(text.endswith(".") for text in texts)
    assert len(set(texts)) == len(texts)
    for one in our_errors():
        assert "__doc__" in vars(one), one
        assert 400 <= one.status < 600, one


def test_every_error_is_in_the_tree_that_people_read():
    drawn = set(re.findall(r"([A-Z]\w+) +\d{3}", errors.__doc__))
    assert drawn == {one.__name__ for one in our_errors()}
    for one in our_errors():
        line = next(x for x in errors.__doc__.splitlines() if f"{one.__name__} " in x)
        assert str(one.status) in line


def test_what_may_be_tried_again_is_an_outage():
    for one in our_errors():
        assert one.retryable == (one.status == 503), one


def test_every_kind_of_job_has_a_handler():
    ours = [p for p in classes_below(Payload) if p.__module__ == Payload.__module__]
    kinds = {p.kind: p.queue for p in ours if "kind" in vars(p)}
    done_here = {kind for kind, queue in kinds.items() if queue != "pull"}
    assert done_here == set(worker_service.handlers.HANDLERS)
    assert set(kinds) == set(worker_service.handlers.ENDINGS)
    for kind, handler in worker_service.handlers.HANDLERS.items():
        assert handler.payload.kind == kind


def test_every_handler_module_is_in_use():
    folder = worker_service.handlers
    modules = {one.name for one in pkgutil.iter_modules(folder.__path__)}
    used = {h.run.__module__.rpartition(".")[2] for h in folder.HANDLERS.values()}
    assert modules == used


def test_every_handler_says_what_happens_when_it_runs_twice():
    for handler in worker_service.handlers.HANDLERS.values():
        text = inspect.getdoc(handler.run) or ""
        assert re.search(r"twice|again", text), handler.run.__module__


def test_payloads_are_in_one_module():
    for one in classes_below(Payload):
        if one.__module__.partition(".")[0] in PACKAGES:
            assert one.__module__ == payloads.__name__


def test_every_module_that_renders_is_a_format():
    package = common.exports
    rendering = {
        one.name
        for one in pkgutil.iter_modules(package.__path__)
        if "def render(" in MODULES[f"common/exports/{one.name}.py"]
    }
    registered = {
        f.render.__module__.rpartition(".")[2] for f in package.FORMATS.values()
    }
    assert rendering == registered


def test_every_blueprint_is_registered():
    found = set()
    for one in pkgutil.walk_packages(
        api_service.routes.__path__, "api_service.routes."
    ):
        module = importlib.import_module(one.name)
        found |= {id(v) for v in vars(module).values() if isinstance(v, Blueprint)}
    assert found == {id(blueprint) for blueprint in api_service.routes.BLUEPRINTS}


def test_every_table_is_imported_with_the_models():
    tables = {
        node.name
        for name in MODULES
        if name.startswith("common/models/")
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ClassDef) and "__tablename__" in ast.dump(node)
    }
    assert tables <= set(common.models.__all__)


def test_relationships_are_never_loaded_behind_ones_back():
    for mapper in common.models.Base.registry.mappers:
        for relationship in mapper.relationships:
            assert relationship.lazy == "raise", relationship


def test_only_where_processes_start_are_settings_read():
    reading = {
        name
        for name, text in MODULES.items()
        if re.search(r"settings\.load\(|[^a-z_]load\(\"(api|worker|migrate)\"\)", text)
    }
    assert {"api_service/wsgi.py", "worker_service/wsgi.py"} <= reading
    entries = {"wsgi", "gunicorn_conf", "__main__"}
    for name in reading:
        runnable = '__name__ == "__main__"' in MODULES[name]
        assert runnable or Path(name).stem in entries, name


def test_flask_is_for_the_two_services():
    importing = re.compile(r"^\s*(from|import) (flask|werkzeug)\b", re.MULTILINE)
    found = {name for name, text in MODULES.items() if importing.search(text)}
    assert [name for name in found if name.startswith("common/")] == []


def test_suppressions_name_what_they_suppress():
    bare = re.compile(r"#\s*(noqa(?!: [A-Z]+\d)|type: ignore(?!\[[a-z-]+\]))")
    assert [name for name, text in MODULES.items() if bare.search(text)] == []


def tracked():
    """Return all files that are, or are about to be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(  # noqa: S603 - nothing of it comes from outside
            command, cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"not a checkout: {exc}")
    for name in done.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 1_000_000:
            yield name, path.read_bytes()


def test_no_file_knows_this_machine_or_an_index():
    parts = [
        *(("/wo", "rk/main"), ("/wo", "rk/shared"), ("/tm", "p/w/"), ("/ro", "ot/.")),
        *(("--ind", "ex-url"), ("--extra-ind", "ex-url"), ("artif", "actory")),
        *(("files.python", "hosted"), ("--find", "-links")),
    ]
    forbidden = [(head + tail).encode() for head, tail in parts]
    found = [
        (name, text.decode())
        for name, content in tracked()
        for text in forbidden
        if text in content
    ]
    assert found == []


def test_no_file_holds_a_key():
    shapes = re.compile(
        rb"-----BEGIN [A-Z ]*PRIVATE KEY|\bsk-[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b"
        rb"|\bAIza[0-9A-Za-z_-]{35}\b"
    )
    assert [name for name, content in tracked() if shapes.search(content)] == []
