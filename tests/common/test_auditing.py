"""A migration begins the audit of a database, on servers that have pgAudit."""

import logging
import shutil
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, make_url, text

from common import db as database
from common import migrations
from common.local.postgres import EmbeddedPostgres, cluster
from tests.folders import open_folder

_CONTROL = "default_version = '1.0'\nsuperuser = true\ntrusted = {trusted}\n"
_SCRIPT = "create function pgaudit_is_here() returns int language sql as 'select 1';\n"


@pytest.fixture(scope="module")
def server():
    """A server whose role may say where extensions lie, as only a superuser may."""
    home = open_folder()
    parameters = "extension_control_path, pgaudit.log"
    grant = f"GRANT SET ON PARAMETER {parameters} TO {cluster.ROLE}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "_CREATE", cluster._CREATE + grant)  # noqa: SLF001
        with EmbeddedPostgres().start(home, durable=False) as started:
            yield started
    shutil.rmtree(home)


@pytest.fixture
def shelf():
    """A folder for an extension; the real one is no part of the embedded server."""
    folder = open_folder()
    (folder / "extension").mkdir()
    yield folder
    shutil.rmtree(folder)


def offer(shelf, *, trusted):
    control = _CONTROL.format(trusted=str(trusted).lower())
    (shelf / "extension" / "pgaudit.control").write_text(control)
    (shelf / "extension" / "pgaudit--1.0.sql").write_text(_SCRIPT)


@contextmanager
def connected(url):
    engine = database.engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def make_database(server, shelf, *, loaded):
    name = f"test_{uuid4().hex}"
    with connected(server.url) as connection:
        connection.execute(text(f"create database {name}"))
        there = f"alter database {name} set"
        connection.exec_driver_sql(
            f"{there} extension_control_path = '$system:{shelf}'"
        )
        if loaded:
            connection.exec_driver_sql(f"{there} pgaudit.log = 'ddl,role'")
    url = make_url(server.url).set(database=name)
    return url.render_as_string(hide_password=False)


def is_audited(url):
    with connected(url) as connection:
        found = text("select count(*) from pg_extension where extname = 'pgaudit'")
        return connection.scalar(found) == 1


def is_migrated(url):
    with connected(url) as connection:
        return connection.scalar(text("select count(*) from alembic_version")) == 1


def test_a_migration_makes_the_extension_and_leaves_it_alone_then(server, shelf):
    offer(shelf, trusted=True)
    url = make_database(server, shelf, loaded=True)
    migrations.upgrade(url)
    assert is_audited(url)
    migrations.upgrade(url)
    assert is_audited(url)


def test_who_may_not_make_it_migrates_all_the_same(server, shelf, caplog):
    caplog.set_level(logging.WARNING)
    offer(shelf, trusted=False)
    url = make_database(server, shelf, loaded=True)
    migrations.upgrade(url)
    assert is_migrated(url)
    assert not is_audited(url)
    [line] = [one for one in caplog.records if one.message == "database not audited"]
    assert "permission denied" in line.error


def test_a_server_that_has_not_loaded_it_is_left_as_it_is(server, shelf, caplog):
    caplog.set_level(logging.WARNING)
    offer(shelf, trusted=True)
    url = make_database(server, shelf, loaded=False)
    migrations.upgrade(url)
    assert is_migrated(url)
    assert not is_audited(url)
    assert "database not audited" not in caplog.text
