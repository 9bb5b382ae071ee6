"""Clients that will not give up: lectures come in, and study packs are wanted."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.storm.lectures import Lecture, draw, form, talk_of

_ANSWER_SECONDS = 40  # an upload that repeats a key may wait 30 s for the first
_LOOK_SECONDS = 0.4
_PATIENCE_SECONDS = 900  # with one job; then something is wrong

_ENDED = {"completed", "failed"}


@dataclass
class Accepted:
    """What clients were promised, by a 2xx."""

    lectures: list[Lecture] = field(default_factory=list)
    recordings: dict[str, Lecture] = field(default_factory=dict)
    jobs: dict[str, Lecture] = field(default_factory=dict)
    replaced: dict[str, float] = field(default_factory=dict)  # recordings, and when
    answers: dict[str, list[str]] = field(default_factory=dict)  # by key
    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)  # answers of 500
    seconds: list[float] = field(default_factory=list)  # each 2xx took
    unhappy: list[str] = field(default_factory=list)  # what clients gave up on


@dataclass
class Crowd:
    """Clients at work, each on one lecture after the other until told to stop."""

    port: int
    seed: int
    clients: int
    most_pieces: int
    accepted: Accepted = field(default_factory=Accepted)
    _enough: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: int = 0

    def start(self) -> None:
        for _ in range(self.clients):
            threading.Thread(target=self._work, daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether a lecture that was begun has not come to its end."""
        return self._ended < len(self.accepted.lectures)

    def stop_soon(self) -> None:
        """Begin no more lectures."""
        self._enough.set()

    def _work(self) -> None:
        while not self._enough.is_set():
            with self._lock:
                number = len(self.accepted.lectures) + 1
                lecture = draw(self.seed, number, self.most_pieces)
                self.accepted.lectures.append(lecture)
            try:
                Client(self, lecture).go()
            except GaveUp as exc:
                self.accepted.unhappy.append(f"{lecture.id}: {exc}")
            with self._lock:
                self._ended += 1


class GaveUp(Exception):
    """A client that lost patience."""


@dataclass
class Client:
    """Does with one lecture what its kind says."""

    crowd: Crowd
    lecture: Lecture

    def go(self) -> None:
        self._upload(0)
        if self.lecture.kind == "replaced":
            self._wait_until_running()
            self._upload(1)
        if self._ends("transcription") != "completed":
            return
        for stage, path in (("generation", "generate"), ("export", "export")):
            if self._asked_for(path, stage) != "completed":
                return

    # Steps

    def _upload(self, take: int) -> None:
        talk = talk_of(self.lecture, take)
        fields = {
            "course_id": f"course-{self.crowd.seed}-{self.lecture.number % 3}",
            "lecture_id": self.lecture.id,
            "preset_id": "exam-mode",
            "title": self.lecture.id,
        }
        head, body = form(fields, talk)
        reply = self._surely("/lectures/ingest", head, body)
        recording = reply["audioPath"].rsplit("/", 1)[1].partition(".")[0]
        book = self.crowd.accepted
        if take:
            first = next(
                one for one, of in book.recordings.items() if of is self.lecture
            )
            book.replaced[first] = time.time()
        book.recordings[recording] = self.lecture

    def _asked_for(self, path: str, stage: str) -> str:
        kind = {"Content-Type": "application/json"}
        reply = self._surely(f"/lectures/{self.lecture.id}/{path}", kind, b"{}")
        self.crowd.accepted.jobs[reply["jobId"]] = self.lecture
        return self._ends(stage)

    def _ends(self, stage: str) -> str:
        """Wait for the end of a stage; a failure is replayed once."""
        for last in (False, True):
            job = self._ended_job(stage)
            if job["status"] == "completed" or last or self.lecture.poisoned:
                return str(job["status"])
            path = f"/jobs/{job['id']}/replay"
            reply = self._surely(path, {}, b"")
            self.crowd.accepted.jobs[reply["jobId"]] = self.lecture
        raise AssertionError

    def _ended_job(self, stage: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job = self._newest(stage)
            return job if job and job["status"] in _ENDED else None

        job: dict[str, Any] = self._patiently(look, stage)
        return job

    def _wait_until_running(self) -> None:
        def look() -> bool:
            job = self._newest("transcription")
            return job is not None and job["status"] != "queued"

        self._patiently(look, "start of the transcription")

    def _newest(self, stage: str) -> dict[str, Any] | None:
        """Return the lecture's newest job of a kind, None if it cannot be seen."""
        path = f"/lectures/{self.lecture.id}/jobs"
        try:
            status, found = self._send("GET", path, {}, None)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        if status != 200:
            return None
        jobs = [one for one in found["jobs"] if one["jobType"] == stage]
        return max(jobs, key=lambda one: str(one["createdAt"]), default=None)

    # Persistence

    def _patiently(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (found := look()):
            if time.monotonic() > deadline:
                raise GaveUp(f"no end of the {what}")
            time.sleep(_LOOK_SECONDS)
        return found

    def _surely(self, path: str, head: dict[str, str], body: bytes) -> Any:
        """Send until there is a 2xx, always with the same key; sometimes two at once.

        A key whose first caller died is locked for long: then a new one is taken, as a
        person who clicks again would.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        key = uuid4().hex
        while time.monotonic() < deadline:
            named = head | {"Idempotency-Key": key}
            replies = self._once_or_twice(path, named, body)
            for status, document in replies:
                if 200 <= status < 300:
                    self._note(key, document)
            good = [document for status, document in replies if 200 <= status < 300]
            if good:
                return good[0]
            if any(status == 409 for status, _ in replies):
                key = uuid4().hex
            if any(status in (400, 404, 422) for status, _ in replies):
                raise GaveUp(f"{path}: {replies}")
            time.sleep(_LOOK_SECONDS)
        raise GaveUp(f"{path} is not accepted")

    def _once_or_twice(
        self, path: str, head: dict[str, str], body: bytes
    ) -> list[tuple[int, Any]]:
        times = 2 if self.lecture.kind == "twice" else 1
        with ThreadPoolExecutor(times) as pool:
            calls = [pool.submit(self._try, path, head, body) for _ in range(times)]
        return [call.result() for call in calls]

    def _try(self, path: str, head: dict[str, str], body: bytes) -> tuple[int, Any]:
        began = time.monotonic()
        try:
            status, document = self._send("POST", path, head, body)
        except (OSError, http.client.HTTPException, ValueError):
            status, document = 0, None
        book = self.crowd.accepted
        book.statuses[status] += 1
        if 200 <= status < 300:
            book.seconds.append(time.monotonic() - began)
        return status, document

    def _note(self, key: str, document: Any) -> None:
        text = json.dumps(document, sort_keys=True)
        self.crowd.accepted.answers.setdefault(key, []).append(text)

    def _send(
        self, method: str, path: str, head: dict[str, str], body: bytes | None
    ) -> tuple[int, Any]:
        port, patience = self.crowd.port, _ANSWER_SECONDS
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
        with closing(connection):
            connection.request(method, path, body, head)
            reply = connection.getresponse()
            document = json.loads(reply.read())
        if reply.status == 500:
            self.crowd.accepted.broken.append(f"{method} {path}: {document}")
        return reply.status, document
