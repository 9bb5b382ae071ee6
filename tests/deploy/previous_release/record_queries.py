"""Record the SQL that a release sends, for test_previous_release.py.

A pytest plugin, to be loaded with a checkout of that release as working directory:

    python -m pytest -p record_queries tests/api tests/common tests/worker

with this folder on PYTHONPATH and QUERIES naming the file to write. Each statement is
written once, for few values, as PostgreSQL would prepare it; what needs the types of
its parameters from the driver, and so cannot be prepared, is left out and counted.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

_ROWS = re.compile(r"\s*(select|insert|update|delete|with)\b", re.IGNORECASE)
_OF_THE_DATABASE = re.compile(r"pg_catalog|pg_advisory|information_schema|alembic")
_OF_A_TEST = 50_000  # characters: only a test inserts that many rows at once
_seen: set[str] = set()
_engines: list[Engine] = []


def shape(statement: str) -> str:
    """Return what is the same in a statement for few values and in one for many."""
    values = re.sub(r"\$\d+(::\w+)?(, \$\d+(::\w+)?)*", "$", statement)
    return re.sub(r"(\([^()]*\), )+(?=\([^()]*\))", "", values)


def preparable(statement: str) -> str:
    """Return a statement of the driver with numbered parameters."""
    numbers = iter(range(1, 10_000))

    def number(found: re.Match[str]) -> str:
        return "%" if found[0] == "%%" else f"${next(numbers)}"

    return re.sub(r"%%|%s", number, statement).strip()


@event.listens_for(Engine, "before_cursor_execute")
def _note(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    if len(statement) > _OF_A_TEST:
        return
    if _ROWS.match(statement) and not _OF_THE_DATABASE.search(statement):
        _seen.add(preparable(statement))


@pytest.fixture(autouse=True, scope="session")
def _write_in_the_end(engine: Engine) -> Iterator[None]:
    yield
    good = []
    with engine.connect() as connection:
        for statement in sorted(_seen):
            with connection.begin_nested() as point:
                try:
                    connection.exec_driver_sql(f"prepare one as {statement}")
                    connection.execute(text("deallocate one"))
                    good.append(statement)
                except Exception as exc:  # noqa: BLE001 - whatever it is, it is counted
                    print(type(exc).__name__, str(exc)[:300])  # noqa: T201
                    point.rollback()
    left_out = len(_seen) - len(good)
    shortest: dict[str, str] = {}
    for one in sorted(good, key=len, reverse=True):
        shortest[shape(one)] = one
    good = sorted(shortest.values())
    head = f"-- {len(good)} statements; {left_out} cannot be prepared by themselves\n\n"
    body = "".join(f"{' '.join(one.split())};\n" for one in good)
    Path(os.environ["QUERIES"]).write_text(head + body)
