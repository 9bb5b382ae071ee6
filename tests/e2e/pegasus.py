"""What a test does to a running Pegasus: by HTTP as clients do, and by signals."""

import http.client
import json
import wave
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from pydantic import SecretStr
from sqlalchemy import NullPool, text

from common import db as database
from common.local.client import Client
from common.local.stack import Stack
from common.providers import internal_calls
from tests.e2e.machine import wait_for

_RATE = 16_000
_SPOKEN_SECONDS = 1.5
_PAUSE_SECONDS = 10.5  # a pause of ten seconds ends a piece
_CLIENT_SECONDS = 4  # the patience of a client that was promised an answer at once

# A rescue before the lease's end, a run that does not follow the one before, or a lease
# that is given while another is alive.
_BROKEN = """
with steps as (
  select *, lag(to_state) over w as earlier, lag(epoch) over w as earlier_epoch
    from job_events window w as (partition by job_id order by id))
select job_id, from_state, to_state, epoch, reason from steps
 where (reason in ('worker_lost', 'poison_pill') and from_state = 'running'
        and at < prev_expires_at)
    or from_state is distinct from earlier
    or (to_state = 'running' and epoch <> coalesce(earlier_epoch, 0) + 1)
"""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    document: dict[str, Any]


@dataclass
class Pegasus:
    """A running stack."""

    stack: Stack
    lecture_id: str = field(default_factory=lambda: f"lecture-{uuid4().hex[:8]}")

    @property
    def client(self) -> Client:
        return Client(self.stack.place.url)

    def kill(self, name: str) -> None:
        """End a service and all its children without warning."""
        self.stack.service(name).kill()

    def revive(self) -> None:
        self.stack.revive()

    def send(self, method: str, path: str, *, seconds=_CLIENT_SECONDS) -> Reply:
        """Return the answer to one request, whatever it is."""
        place = self.stack.place
        with closing(
            http.client.HTTPConnection("127.0.0.1", place.port, timeout=seconds)
        ) as connection:
            kind = {"Content-Type": "application/json"}
            connection.request(method, path, "{}" if method == "POST" else None, kind)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.headers), json.load(reply))

    def upload(self, folder: Path, *, pieces: int):
        """Send a recording that is heard in so many pieces; its job follows."""
        file = folder / "talk.wav"
        write_talk(file, pieces)
        return self.client.ingest(
            file,
            {
                "course_id": "c1",
                "lecture_id": self.lecture_id,
                "preset_id": "exam-mode",
                "title": "A lecture",
            },
        )

    def stage(self, name: str):
        path = f"/lectures/{self.lecture_id}/progress"
        return self.client.get(path)["stages"][name]

    def ended(self, name: str):
        """Wait until a stage has ended; return how."""
        ends = ("completed", "failed")
        wait_for(lambda: self.stage(name)["status"] in ends)
        return self.stage(name)["status"]

    def saved(self):
        """Return how many paid answers are in the ledger for this lecture."""
        [[count]] = self.rows(
            "select count(*) from usage_ledger u join jobs j on j.id = u.job_id"
            " left join jobs p on p.id = j.parent_id"
            " where coalesce(p.subject, j.subject) = :subject",
            subject=f"lecture:{self.lecture_id}",
        )
        return count

    def unsent(self):
        """Return how many tasks of this lecture's own jobs are still to be sent."""
        [[count]] = self.rows(
            "select count(*) from job_outbox o join jobs j on j.id = o.job_id"
            " where j.subject = :subject",
            subject=f"lecture:{self.lecture_id}",
        )
        return count

    def transcripts(self):
        [[count]] = self.rows(
            "select count(*) from transcripts t join lectures l using (recording_id)"
            " where l.id = :id",
            id=self.lecture_id,
        )
        return count

    def rows(self, sql: str, **values: object):
        with self._engine.connect() as connection:
            return connection.execute(text(sql), values).all()

    @contextmanager
    def jobs_locked(self):
        """Let nobody change a job inside the block."""
        with self._engine.begin() as connection:
            connection.execute(text("select 1 from jobs for update"))
            yield

    def logged(self, name: str):
        """Return what a service has written to its log."""
        log = self.stack.service(name).log
        assert log is not None
        return Path(log.name).read_text()

    def broken_histories(self):
        """Return the steps of jobs that the protocol does not allow."""
        return self.rows(_BROKEN)

    def sweep(self, **wanted: float) -> None:
        """Do what the scheduler does."""
        given = self.stack.environment
        token = internal_calls.sign(
            SecretStr(given["PEGASUS_INTERNAL_SECRET"]),
            audience=given["PEGASUS_WORKER_URL"],
            caller=internal_calls.SCHEDULER,
        )
        url = given["PEGASUS_WORKER_URL"] + "/schedules/sweep"
        assert internal_calls.post(url, wanted, token=token, timeout_seconds=30) == 200

    def break_queue(self, **faults: float | bool) -> None:
        """Have the queue misbehave: duplicate, drop_ack, outage, pause, wipe."""
        given = self.stack.environment
        url = given["PEGASUS_QUEUE_URL"]
        token = internal_calls.sign(
            SecretStr(given["PEGASUS_INTERNAL_SECRET"]),
            audience=url,
            caller=internal_calls.SERVICES,
        )
        url += "/faults"
        assert internal_calls.post(url, faults, token=token, timeout_seconds=30) == 200

    def mend_queue(self) -> None:
        self.break_queue(duplicate=0.0, drop_ack=0.0, outage=False, pause=False)

    @cached_property
    def _engine(self):
        return database.engine(
            self.stack.environment["DATABASE_URL"], poolclass=NullPool
        )


def write_talk(file: Path, pieces: int) -> None:
    """Write bursts of noise with long pauses, each unlike any that was there before."""
    random = np.random.default_rng()
    pause = np.zeros(int(_RATE * _PAUSE_SECONDS), "<i2")
    with wave.open(str(file), "wb") as target:
        target.setparams((1, 2, _RATE, 0, "NONE", "not compressed"))
        for _ in range(pieces):
            noise = random.normal(0, 3000, int(_RATE * _SPOKEN_SECONDS)).astype("<i2")
            target.writeframes(noise.tobytes() + pause.tobytes())
