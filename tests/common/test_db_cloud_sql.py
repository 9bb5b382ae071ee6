"""The database on Cloud SQL: through Google's proxy, with and without a password."""

import time
from urllib.parse import quote

import pytest
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError

from common import db as database
from common import migrations
from common.db import cloud_sql, driver
from common.settings import Settings, load
from tests.loopback.certificates import Authority
from tests.loopback.cloud_sql_server import (
    ACCOUNT,
    INSTANCE,
    CloudSqlServer,
    Login,
    loopback_addresses,
)

pytestmark = pytest.mark.skipif(
    not loopback_addresses(), reason="the port is fixed, so addresses must differ"
)

_ACCOUNT = quote(ACCOUNT)


@pytest.fixture
def server(database_url, tmp_path, monkeypatch):
    with CloudSqlServer(make_url(database_url), tmp_path) as running:
        monkeypatch.setenv(
            "GOOGLE_APPLICATION_CREDENTIALS", str(running.credentials_file())
        )
        yield running


@pytest.fixture
def settings_for(server):
    """Return settings for a database of the instance."""

    def make(url, login=_ACCOUNT):
        return Settings(
            DATABASE_URL=f"postgresql://{login}@/{make_url(url).database}",
            PEGASUS_INTERNAL_SECRET="0" * 32,
            PEGASUS_CLOUD_SQL_INSTANCE=INSTANCE,
            PEGASUS_CLOUD_SQL_ADMIN_URL=server.admin_url,
        )

    return make


@pytest.fixture
def connect(settings_for, database_url):
    """Make session factories; their connections are closed in the end."""
    made = []

    def make(**login):
        made.append(database.connect_from(settings_for(database_url, **login)))
        return made[-1]

    yield make
    for factory in made:
        factory.kw["bind"].dispose()


def ask(factory):
    with factory.begin() as session:
        return session.scalar(text("select 1"))


def drop(factory):
    """Forget the pool's connections, so that the next use makes a new one."""
    factory.kw["bind"].dispose()


def test_nothing_is_asked_until_first_use(server, connect):
    connect()
    assert server.calls == []


def test_the_service_account_is_let_in_without_a_password(server, connect):
    assert ask(connect()) == 1
    [login] = server.logins
    assert login.user == "pegasus-api@test-project.iam"
    assert login.token.startswith("login-")


def test_a_user_with_a_password_shows_it_to_the_database_itself(
    server, connect, database_url
):
    url = make_url(database_url)
    assert ask(connect(login=f"{url.username}:{url.password}")) == 1
    assert server.logins == [Login(url.username, None)]


def test_a_wrong_password_is_refused(connect, database_url):
    with pytest.raises(DBAPIError, match="28P01"):
        ask(connect(login=f"{make_url(database_url).username}:wrong"))


def test_the_connection_is_one_of_our_own_kind(connect):
    borrowed = connect().kw["bind"].raw_connection()
    assert isinstance(borrowed.driver_connection, driver.Connection)
    borrowed.close()


def test_many_connections_need_one_certificate(server, connect):
    factory = connect()
    for _ in range(3):
        ask(factory)
        drop(factory)
    assert len(server.logins) == 3
    assert sorted(server.calls) == ["connectSettings", "generateEphemeralCert"]


def test_a_certificate_that_ends_soon_is_renewed_before_its_next_use(server, connect):
    server.certificate_seconds = 200  # less than the margin
    factory = connect()
    ask(factory)
    drop(factory)
    ask(factory)
    assert server.calls.count("generateEphemeralCert") == 2


def test_an_instance_that_moved_is_found_again(server, connect, monkeypatch):
    monkeypatch.setattr(cloud_sql, "_ASK_AGAIN_SECONDS", 0)
    factory = connect()
    ask(factory)
    server.move()
    with pytest.raises(InterfaceError):
        ask(factory)
    assert ask(factory) == 1


def test_while_the_instance_is_away_the_admin_api_is_not_asked_each_time(
    server, connect
):
    factory = connect()
    ask(factory)
    server.move()
    for _ in range(3):
        with pytest.raises(InterfaceError):
            ask(factory)
    assert server.calls.count("connectSettings") == 1


def test_an_admin_api_that_refuses_is_an_outage_and_says_why_in_the_log(
    server, connect, caplog
):
    server.admin_status = 403
    with pytest.raises(InterfaceError):
        ask(connect())
    [record] = [one for one in caplog.records if one.message == "cloud_sql.refused"]
    assert (record.error, record.status) == ("ClientResponseError", 403)


def test_an_admin_api_that_is_away_is_not_missed_while_the_certificate_is_good(
    server, connect, monkeypatch
):
    monkeypatch.setattr(cloud_sql, "_ASK_AGAIN_SECONDS", 0)
    factory = connect()
    ask(factory)
    server.hang_up()
    with pytest.raises(DBAPIError):
        ask(factory)
    server.admin_status = 403
    server.listen()
    assert ask(factory) == 1


def test_a_server_with_a_strangers_certificate_is_not_spoken_to(server, connect):
    server.ca_pem = Authority("a stranger").pem
    with pytest.raises(InterfaceError):
        ask(connect())
    assert server.logins == []


def test_an_instance_that_takes_the_call_and_is_silent_is_given_up(
    server, connect, monkeypatch
):
    monkeypatch.setattr(driver, "HELLO_SECONDS", 0.3)
    server.silent = True
    started = time.monotonic()
    with pytest.raises(InterfaceError):
        ask(connect())
    assert time.monotonic() - started < 5


def test_an_instance_without_an_address_of_the_kind_is_an_outage(
    server, connect, monkeypatch
):
    monkeypatch.setenv("PEGASUS_CLOUD_SQL_IP_TYPE", "public")
    with pytest.raises(InterfaceError):
        ask(connect())


def test_the_deploy_job_migrates_through_the_same_line(
    server, settings_for, new_database
):
    url = new_database()
    migrations.upgrade_from(settings_for(url))
    engine = database.engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from jobs")) == 0
    assert [one.user for one in server.logins] == ["pegasus-api@test-project.iam"]


@pytest.mark.parametrize("name", ["main", "a:b", "a:b:c:d:e", "a::c"])
def test_an_instance_must_be_named_in_full(name, monkeypatch, database_url):
    monkeypatch.setenv("PEGASUS_CLOUD_SQL_INSTANCE", name)
    monkeypatch.setenv("DATABASE_URL", database_url)
    with pytest.raises(SystemExit, match="project:region:instance"):
        load("api")
