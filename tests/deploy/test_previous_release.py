"""The release before runs on the schema of this one: so it can be deployed again.

``previous_release/queries.sql`` is what it sends, recorded from its own tests; after a
release, ``record_queries.py`` beside it makes it anew.
"""

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import NullPool, text
from sqlalchemy.exc import SQLAlchemyError

from common import db as database
from common import migrations

RECORDED = Path(__file__).parent / "previous_release" / "queries.sql"
BEFORE = "0004_expand_event_latency"
COLUMNS = text("""
select table_name, column_name, data_type,
       is_nullable = 'NO' and column_default is null and is_identity = 'NO'
         and is_generated = 'NEVER' as must_be_given
  from information_schema.columns
 where table_schema = 'public' and table_name <> 'alembic_version'
""")


def queries():
    text_of_it = RECORDED.read_text()
    plain = "\n".join(x for x in text_of_it.splitlines() if not x.startswith("--"))
    return [one.strip() for one in plain.split(";\n") if one.strip()]


@pytest.fixture(scope="module")
def versions(new_database):
    """Engines for the schema of the release before, and for the newest."""
    engines = [database.engine(new_database(), poolclass=NullPool) for _ in range(2)]
    for engine, revision in zip(engines, (BEFORE, "head"), strict=True):
        with engine.begin() as connection:
            command.upgrade(migrations.config(connection), revision)
    yield engines
    for engine in engines:
        engine.dispose()


def refused(connection):
    """Return which of the old statements PostgreSQL does not understand any more."""
    found = []
    for query in queries():
        point = connection.begin_nested()
        try:
            connection.exec_driver_sql(f"prepare old as {query}")
            connection.exec_driver_sql("deallocate old")
            point.commit()
        except SQLAlchemyError as exc:
            point.rollback()
            found.append((query, str(exc)))
    return found


def columns(engine):
    with engine.connect() as connection:
        return {(r[0], r[1]): (r[2], r[3]) for r in connection.execute(COLUMNS)}


def test_there_is_something_to_try():
    said = " ".join(queries()).lower()
    assert len(queries()) > 100
    for table in ("jobs", "job_outbox", "lectures", "recordings", "usage_ledger"):
        assert f" {table}" in said


@pytest.mark.parametrize("which", [0, 1], ids=["then", "now"])
def test_postgres_understands_all_that_the_release_before_sends(versions, which):
    with versions[which].begin() as connection:
        assert refused(connection) == []


def test_what_it_writes_is_enough(versions):
    before, now = map(columns, versions)
    assert before.keys() - now.keys() == set(), "taken away"
    tables = {table for table, _ in before}
    for (table, column), (kind, must_be_given) in now.items():
        if (table, column) in before:
            old_kind, had_to_be = before[table, column]
            assert kind == old_kind, (table, column)
            assert had_to_be or not must_be_given, (table, column)
        elif table in tables:
            assert not must_be_given, f"{table}.{column}: the release before lacks it"


def test_a_column_that_is_taken_away_is_noticed(versions):
    with versions[1].connect() as connection, connection.begin() as outer:
        connection.execute(text("alter table lectures drop column title"))
        found = refused(connection)
        outer.rollback()
    assert any('column "title"' in said for _, said in found)
