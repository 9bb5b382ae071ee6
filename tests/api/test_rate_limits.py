"""How often a client may write."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from werkzeug.datastructures import Headers

from common import db as database
from common.models import RateWindow
from common.providers import internal_calls
from tests import factories
from tests.api.guards import WRITE_TOKEN, bearer, guarded, with_settings
from tests.common.job_steps import together, until
from tests.conftest import make_api

LIMIT = 3
WINDOW = 60
TEXT = "Too many write requests. Please retry shortly."


@pytest.fixture
def limited(api, deps):
    """Give the API other limits, or other settings beside them."""

    def set_limits(most=LIMIT, window=WINDOW, **fields):
        api.application.extensions["deps"] = with_settings(
            deps,
            write_rate_limit_max_requests=most,
            write_rate_limit_window_sec=window,
            **fields,
        )
        return api

    return set_limits


@pytest.fixture
def client(limited):
    return limited()


def write(client, address="192.0.2.1", forwarded=None, headers=None):
    """Make a write that finds nothing; return its status."""
    sent = dict(headers or {})
    if forwarded is not None:
        sent["X-Forwarded-For"] = forwarded
    base = {"REMOTE_ADDR": address}
    return client.delete("/lectures/none", headers=sent, environ_base=base).status_code


def use_up(client, most=LIMIT, **caller):
    assert [write(client, **caller) for _ in range(most)] == [404] * most


def recorded(db):
    """Return the number of recorded writes of each client."""
    with db.begin() as session:
        rows = session.execute(
            select(RateWindow.key, func.cardinality(RateWindow.events))
        )
        return {row[0]: row[1] for row in rows}


def record(db, *ages):
    """Have one client made writes so many seconds ago."""
    now = datetime.now(UTC)
    factories.save(
        db,
        RateWindow(
            key="write:192.0.2.1",
            events=[now - timedelta(seconds=age) for age in ages],
            expires_at=now + timedelta(seconds=WINDOW),
        ),
    )


def test_what_is_over_the_limit_is_refused(client):
    use_up(client)
    reply = client.delete("/lectures/none", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert reply.status_code == 429
    assert reply.json["detail"] == TEXT
    assert reply.json["error"]["code"] == "rate_limited"
    assert 0 < int(reply.headers["Retry-After"]) <= WINDOW


def test_a_refused_write_is_not_recorded(client, db):
    use_up(client)
    for _ in range(5):
        assert write(client) == 429
    assert recorded(db) == {"write:192.0.2.1": LIMIT}


def test_all_ways_to_write_share_one_budget(client, db):
    factories.lecture(db)
    assert client.post("/lectures/l1/export").status_code == 200
    assert client.post("/lectures/l1/generate", json={}).status_code == 200
    assert client.post("/jobs/dead-letter/replay").status_code == 200
    for method, path in (
        ("POST", "/lectures/ingest"),
        ("POST", "/lectures/l1/transcribe"),
        ("POST", "/courses"),
        ("POST", "/jobs/none/replay"),
        ("DELETE", "/lectures/l1"),
        ("DELETE", "/courses/c1"),
    ):
        assert client.open(path, method=method).status_code == 429


def test_a_request_that_comes_to_nothing_counts(client, db):
    assert client.post("/lectures/ingest").status_code == 400
    assert client.post("/lectures/l1/generate", data="{").status_code == 422
    assert client.post("/lectures/l1/export").status_code == 404
    assert client.post("/lectures/l1/export").status_code == 429


def test_reading_does_not_count_and_is_not_limited(client, db):
    use_up(client, address="127.0.0.1")
    for path in ("/courses", "/lectures", "/ops/deletion-audit", "/jobs/dead-letter"):
        for method in ("GET", "HEAD", "OPTIONS"):
            assert client.open(path, method=method).status_code == 200
    assert recorded(db) == {"write:127.0.0.1": LIMIT}


def test_what_is_not_there_does_not_count(client, db):
    assert client.post("/none").status_code == 404
    assert client.put("/courses").status_code == 405
    assert recorded(db) == {}


def test_strangers_do_not_use_the_budget_up(api, deps, db):
    api.application.extensions["deps"] = guarded(deps, write_rate_limit_max_requests=1)
    for _ in range(3):
        assert write(api) == 401
        assert write(api, headers=bearer("wrong")) == 403
    assert recorded(db) == {}
    assert write(api, headers=bearer(WRITE_TOKEN)) == 404
    assert write(api, headers=bearer(WRITE_TOKEN)) == 429
    assert write(api) == 401


@pytest.mark.parametrize(
    ("ages", "status"),
    [
        ((59, 30, 1), 429),
        ((60, 30, 1), 404),  # it leaves when its age is the window's length
        ((61, 60.5, 60), 404),
        ((60, 59, 30, 1), 429),
    ],
)
def test_a_write_leaves_the_window_when_it_is_old_enough(client, db, ages, status):
    record(db, *ages)
    assert write(client) == status


def test_what_has_left_the_window_is_forgotten(client, db):
    record(db, 90, 61, 60, 10)
    assert write(client) == 404
    assert recorded(db) == {"write:192.0.2.1": 2}


@pytest.mark.parametrize(
    ("ages", "wait"),
    [
        ((50, 30, 10), "10"),
        ((59.5, 59.5, 59.5), "1"),
        ((90, 50, 30, 10), "10"),
        ((50, 40, 30, 10), "20"),  # the limit was higher when these were made
    ],
)
def test_retry_after_tells_when_there_is_a_place(client, db, ages, wait):
    record(db, *ages)
    assert (
        client.delete(
            "/lectures/none", environ_base={"REMOTE_ADDR": "192.0.2.1"}
        ).headers["Retry-After"]
        == wait
    )


def test_the_window_slides(committed_deps, committed_db):
    deps = with_settings(
        committed_deps, write_rate_limit_max_requests=2, write_rate_limit_window_sec=1
    )
    client = make_api(deps)
    use_up(client, 2)
    with committed_db.begin() as session:
        [first, _] = session.scalars(select(RateWindow.events)).one()
    until(lambda: write(client) == 404)
    with committed_db.begin() as session:
        *_, last = session.scalars(select(RateWindow.events)).one()
    assert (last - first).total_seconds() >= 1


@pytest.mark.parametrize("known", [True, False], ids=["known", "new client"])
def test_of_forty_writes_at_once_as_many_pass_as_may(
    committed_deps, committed_db, database_url, known
):
    """Two instances with databases connections of their own, twenty calls each."""
    fields = {"write_rate_limit_max_requests": 10, "trusted_proxy_hops": 1}
    other = database.connect(database_url, pool_size=5)
    here, there = (
        make_api(with_settings(committed_deps, **fields)).application,
        make_api(
            with_settings(replace(committed_deps, db=other), **fields)
        ).application,
    )
    expected = 10
    if known:
        assert write(here.test_client(), forwarded="192.0.2.1") == 404
        expected -= 1
    try:
        statuses = together(
            *[
                lambda app=app: write(app.test_client(), forwarded="192.0.2.1")
                for app in (here, there) * 20
            ]
        )
    finally:
        other.kw["bind"].dispose()
    assert sorted(statuses) == [404] * expected + [429] * (40 - expected)
    assert recorded(committed_db) == {"write:192.0.2.1": 10}


@pytest.mark.parametrize(
    ("hops", "forwarded", "client_is"),
    [
        (0, None, "192.0.2.1"),
        (0, "198.51.100.7", "192.0.2.1"),
        (1, None, "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.1, 198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.1,198.51.100.7 ", "198.51.100.7"),
        (1, "198.51.100.7, ", "192.0.2.1"),
        (1, "198.51.100.7, nobody", "192.0.2.1"),
        (1, "198.51.100.7:4711", "198.51.100.7"),
        (1, "[2001:db8::1]:443", "2001:db8::/64"),
        (1, "[2001:db8::1", "2001:db8::/64"),
        (2, "203.0.113.1, 198.51.100.7, 10.0.0.1", "198.51.100.7"),
        (2, "198.51.100.7, 10.0.0.1", "198.51.100.7"),
        (2, "198.51.100.7", "192.0.2.1"),  # it did not come through both proxies
        (3, "198.51.100.7, 10.0.0.2, 10.0.0.1", "198.51.100.7"),
        (1, "x" * 10_000, "192.0.2.1"),
        (1, "\xff\x00'; drop table", "192.0.2.1"),
    ],
)
def test_the_client_is_who_our_outermost_proxy_saw(
    limited, db, hops, forwarded, client_is
):
    assert write(limited(trusted_proxy_hops=hops), forwarded=forwarded) == 404
    assert recorded(db) == {f"write:{client_is}": 1}


def test_the_last_of_several_headers_is_our_proxy_s(limited, db):
    headers = Headers(
        [("X-Forwarded-For", "203.0.113.1"), ("X-Forwarded-For", "198.51.100.7")]
    )
    limited(trusted_proxy_hops=1).delete("/lectures/none", headers=headers)
    assert recorded(db) == {"write:198.51.100.7": 1}


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_a_forged_entry_gains_nothing(limited, db, hops):
    client = limited(trusted_proxy_hops=hops)
    proxies = ["198.51.100.7", "10.0.0.1"][:hops]

    def forged(number):
        return ", ".join([f"203.0.113.{number}", f"x{number}", *proxies])

    assert [write(client, forwarded=forged(n)) for n in range(6)] == (
        [404] * LIMIT + [429] * 3
    )
    assert list(recorded(db).values()) == [LIMIT]


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:DB8:0:0::1", "2001:db8::2", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_one_client_has_a_whole_ipv6_network(limited, db, address, other, same):
    client = limited(most=1)
    assert write(client, address=address) == 404
    assert write(client, address=other) == (429 if same else 404)


def test_without_an_address_all_are_one_client(client, db):
    use_up(client, address="")
    assert recorded(db) == {"write:unknown": LIMIT}


def test_one_client_s_writes_are_not_another_s(client):
    use_up(client, address="192.0.2.1")
    use_up(client, address="192.0.2.2")


def test_the_sweep_forgets_clients_that_have_gone(client, db, worker):
    use_up(client, address="192.0.2.1")
    use_up(client, address="192.0.2.2")
    with db.begin() as session:
        session.execute(
            update(RateWindow)
            .where(RateWindow.key == "write:192.0.2.1")
            .values(expires_at=func.clock_timestamp())
        )
    worker.post("/schedules/sweep", {}, caller=internal_calls.SCHEDULER)
    assert recorded(db) == {"write:192.0.2.2": LIMIT}


def test_a_window_is_kept_as_long_as_it_counts(client, db):
    use_up(client)
    lasts = select(RateWindow.expires_at - func.clock_timestamp())
    with db.begin() as session:
        assert WINDOW - 10 < session.scalars(lasts).one().total_seconds() <= WINDOW
