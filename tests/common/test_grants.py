"""The services' rights in a database whose tables belong to the migrator."""

import shutil
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, event, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import sessionmaker

import worker_service.app
from common import db as database
from common import migrations
from common.local.postgres import EmbeddedPostgres, cluster
from common.settings import Settings
from tests.conftest import Worker, make_api, make_deps, make_heart, make_ingest
from tests.folders import open_folder

ROLE = "pegasus-api@lectures-test.iam"  # as Cloud SQL names them


@pytest.fixture(scope="module")
def server():
    """A server of our own, whose role may make others, as Google's may."""
    home = open_folder()
    with pytest.MonkeyPatch.context() as patch:
        more = cluster._CREATE.replace("CREATEDB", "CREATEDB CREATEROLE")  # noqa: SLF001
        patch.setattr(cluster, "_CREATE", more)
        with EmbeddedPostgres().start(home, durable=False) as started:
            make_role(started.url, ROLE)
            yield started
    shutil.rmtree(home)


def make_role(url, name):
    """Make a role that the maker can become, but whose rights are only its own."""
    quoted = '"' + name.replace('"', '""') + '"'
    with connected(url) as connection:
        connection.exec_driver_sql(f"create role {quoted}")
        connection.exec_driver_sql(
            f"grant {quoted} to pegasus with set true, inherit false"
        )


@contextmanager
def connected(url):
    engine = database.engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def url(server):
    name = f"test_{uuid4().hex}"
    with connected(server.url) as connection:
        connection.execute(text(f"create database {name}"))
    url = make_url(server.url).set(database=name)
    text_of_it = url.render_as_string(hide_password=False)
    migrations.upgrade(text_of_it, app_roles=[ROLE])
    return text_of_it


@pytest.fixture(scope="module")
def as_role(url):
    """An engine whose connections have the role's rights and no others."""
    engine = database.engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def become(connection, _record):
        connection.cursor().execute(f'set role "{ROLE}"')
        connection.commit()

    yield engine
    engine.dispose()


def test_the_services_do_all_their_work(as_role, settings, queue, speech, llm):
    deps = make_deps(
        sessionmaker(as_role, expire_on_commit=False), settings, queue, speech, llm
    )
    api = make_api(deps)
    worker = Worker(
        deps, worker_service.app.create_app(deps, make_heart(deps)).test_client()
    )
    make_ingest(api)()
    assert worker.run_all(queue) == 1
    api.post("/lectures/l1/generate", json={})
    assert worker.run_all(queue) == 1
    for path in ("sweep", "retention"):
        done = worker.post(
            f"/schedules/{path}", {}, caller="scheduler@pegasus.internal"
        )
        assert done.status_code == 200
    assert api.get("/lectures/l1/progress").status_code == 200
    assert api.get("/ops/metrics").status_code == 200
    assert api.delete("/lectures/l1").status_code == 200


@pytest.mark.parametrize(
    "statement",
    [
        "create table theirs (id int)",
        "alter table jobs add column theirs int",
        "drop table lectures",
        "alter table jobs disable trigger job_guard",
        "drop function job_guard() cascade",
        "truncate jobs",
        "update alembic_version set version_num = '0001'",
    ],
)
def test_the_services_change_nothing_about_tables(as_role, statement):
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        as_role.begin() as connection,
    ):
        connection.execute(text(statement))


def test_each_migration_grants_anew(as_role, url):
    with connected(url) as connection:
        connection.execute(text(f'revoke all on lectures from "{ROLE}"'))
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        as_role.connect() as connection,
    ):
        connection.execute(text("select * from lectures"))
    migrations.upgrade(url, app_roles=[ROLE])
    with as_role.connect() as connection:
        connection.execute(text("select * from lectures"))


def test_what_the_owner_makes_later_is_readable_too(as_role, url):
    with connected(url) as connection:
        connection.execute(text("create table later (id serial, x int)"))
    with as_role.begin() as connection:
        connection.execute(text("insert into later (x) values (1)"))
        assert connection.scalar(text("select id from later")) == 1


def test_a_name_is_a_name_whatever_it_contains(url):
    odd = f'x"; drop table lectures; -- :y %s 100% {uuid4().hex[:4]}'
    make_role(url, odd)
    migrations.upgrade(url, app_roles=[odd])
    may = text("select has_table_privilege(:role, 'lectures', 'insert')")
    with connected(url) as connection:
        assert connection.scalar(may, {"role": odd}) is True


def test_names_come_from_the_environment(settings):
    given = settings.model_copy(update={"database_app_roles": " a@b.iam, c@b.iam ,"})
    assert given.database_roles == ["a@b.iam", "c@b.iam"]
    assert isinstance(given, Settings)
