"""The schema: brought up to date by many at once, forwards and backwards."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, inspect, text
from sqlalchemy.exc import ProgrammingError

from common import db as database
from common import migrations
from common.models import Base

ROOT = Path(__file__).parents[2]
SCHEMA = """
select table_name, column_name, data_type, is_nullable, column_default
  from information_schema.columns where table_schema = 'public';
select indexdef from pg_indexes where schemaname = 'public';
select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  from pg_constraint where connamespace = 'public'::regnamespace;
select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal;
select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace
"""
TABLES = set(Base.metadata.tables)


@pytest.fixture
def empty(new_database):
    """An engine for a database without anything in it."""
    engine = database.engine(new_database(), poolclass=NullPool)
    yield engine
    engine.dispose()


def url_of(engine):
    return engine.url.render_as_string(hide_password=False)


def tables(engine):
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def snapshot(engine):
    """Return everything that the schema consists of, in words."""
    with engine.connect() as connection:
        return [
            sorted(map(tuple, connection.execute(text(query))))
            for query in SCHEMA.split(";")
        ]


def test_an_empty_database_gets_every_table(empty):
    migrations.upgrade(url_of(empty))
    assert tables(empty) == TABLES | {"alembic_version"}


def test_twelve_at_once_all_succeed(empty):
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(migrations.upgrade, [url_of(empty)] * 12))
    assert tables(empty) == TABLES | {"alembic_version"}
    with empty.connect() as connection:
        versions = connection.execute(text("select version_num from alembic_version"))
        assert len(versions.all()) == 1


def test_twelve_processes_at_once_all_succeed(empty):
    environment = {
        **os.environ,
        "DATABASE_URL": url_of(empty),
        "PEGASUS_INTERNAL_SECRET": "s" * 32,
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "common.migrations"],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
        )
        for _ in range(12)
    ]
    for process in started:
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert tables(empty) == TABLES | {"alembic_version"}


def test_a_second_time_changes_nothing(empty):
    migrations.upgrade(url_of(empty))
    before = snapshot(empty)
    migrations.upgrade(url_of(empty))
    assert snapshot(empty) == before


def test_rows_survive_a_second_time(empty):
    migrations.upgrade(url_of(empty))
    with empty.begin() as connection:
        connection.execute(text("insert into courses (id, title) values ('c', 'C')"))
    migrations.upgrade(url_of(empty))
    with empty.connect() as connection:
        assert connection.scalar(text("select title from courses")) == "C"


def test_the_tables_are_those_of_the_models(empty):
    migrations.upgrade(url_of(empty))
    with empty.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_every_step_can_be_taken_back_and_again(empty):
    migrations.upgrade(url_of(empty))
    before = snapshot(empty)
    with empty.begin() as connection:
        command.downgrade(migrations.config(connection), "base")
    assert tables(empty) == {"alembic_version"}
    assert [rows for rows in snapshot(empty)[3:] if rows] == []
    migrations.upgrade(url_of(empty))
    assert snapshot(empty) == before


def test_a_step_that_fails_leaves_the_database_as_it_was(empty):
    with empty.begin() as connection:  # in the way of one of the tables
        connection.execute(text("create table lectures (id int)"))
    with pytest.raises(ProgrammingError, match="already exists"):
        migrations.upgrade(url_of(empty))
    assert tables(empty) == {"lectures"}


def test_steps_follow_each_other_and_say_which_kind_they_are():
    folder = Path(migrations.__file__).parent
    steps = list(ScriptDirectory(folder).walk_revisions())
    assert len([step for step in steps if step.is_head]) == 1
    for step in steps:
        kind = step.revision.split("_")[1]
        assert kind in ("expand", "contract"), step.revision
        assert step.module.__name__.startswith(step.revision)
