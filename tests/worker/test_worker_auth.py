"""Who may ring at the worker, and with what; see also ``test_bad_tokens``."""

import time

import jwt
import pytest

from common.providers import internal_calls
from tests.common.job_steps import add, job
from tests.conftest import SECRET

NOW = int(time.time())
GOOD = {
    "iss": internal_calls.ISSUER,
    "aud": "http://127.0.0.1:8081",
    "email": internal_calls.QUEUE,
    "email_verified": True,
    "iat": NOW,
    "exp": NOW + 300,
}


def token(**changes):
    return jwt.encode(GOOD | changes, SECRET, "HS256")


@pytest.mark.parametrize(
    ("path", "caller"),
    [
        ("/tasks/{}", internal_calls.SCHEDULER),
        ("/tasks/{}", internal_calls.SERVICES),
        ("/tasks/{}", "somebody@pegasus.internal"),
        ("/schedules/sweep", internal_calls.QUEUE),
        ("/schedules/sweep", internal_calls.SERVICES),
    ],
)
def test_a_caller_without_business_here_is_refused(worker, db, path, caller):
    job_id = add(db)

    reply = worker.post(path.format(job_id), {"seq": 1}, caller=caller)

    assert reply.status_code == 403
    assert job(db, job_id).state == "queued"


def test_the_caller_is_checked_before_the_body_is_read(worker, db):
    path = f"/tasks/{add(db)}"

    assert worker.client.post(path, data=b"{").status_code == 401


def test_the_right_token_opens_its_door(worker, db):
    headers = {"Authorization": f"bearer {token()}"}
    path = f"/tasks/{add(db)}"

    assert worker.client.post(path, json={"seq": 9}, headers=headers).status_code == 200


BODIES = {
    "empty": b"",
    "half": b'{"seq": ',
    "a list": b"[1]",
    "null": b"null",
    "without seq": b"{}",
    "seq in words": b'{"seq": "one"}',
    "seq null": b'{"seq": null}',
    "seq below 1": b'{"seq": 0}',
    "seq beyond the column": b'{"seq": 2147483648}',
    "not UTF-8": b'{"seq": "\xff"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_task_that_makes_no_sense_is_refused_as_such(worker, db, body):
    job_id = add(db)
    headers = {"Authorization": f"Bearer {token()}"}

    reply = worker.client.post(f"/tasks/{job_id}", data=body, headers=headers)

    assert reply.status_code == 400
    assert job(db, job_id).state == "queued"


@pytest.mark.parametrize(
    "body", [b"[]", b'{"lost_after_seconds": "soon"}', b'{"lost_after_seconds": NaN}']
)
def test_so_is_a_sweep_that_makes_no_sense(worker, body):
    headers = {"Authorization": f"Bearer {token(email=internal_calls.SCHEDULER)}"}

    reply = worker.client.post("/schedules/sweep", data=body, headers=headers)

    assert reply.status_code == 400


def test_anyone_may_ask_for_the_worker_s_health(worker):
    assert worker.client.get("/health").json == {"status": "ok"}
