"""Buckets on disk: generations, preconditions, checksums and resumable sessions."""

import base64
import hashlib
import json
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import google_crc32c

_PIECE_BYTES = 1 << 20
_GRAIN_BYTES = 256 * 1024  # what is kept of a chunk that breaks off; chunks' unit
_KEPT = (
    "contentType",
    "contentDisposition",
    "contentEncoding",
    "cacheControl",
    "metadata",
)

Resource = dict[str, Any]


class Refused(Exception):
    """An answer with an error document."""

    def __init__(self, status: int, message: str, reason: str = "invalid") -> None:
        super().__init__(message)
        self.status, self.message, self.reason = status, message, reason


@dataclass(frozen=True)
class Stored:
    """One generation of an object."""

    resource: Resource
    path: Path

    @property
    def size(self) -> int:
        return int(self.resource["size"])

    @property
    def generation(self) -> int:
        return int(self.resource["generation"])


@dataclass
class Session:
    """A resumable upload; ``size`` is what was announced, if anything was."""

    bucket: str
    resource: Resource
    path: Path
    conditions: Mapping[str, str]
    size: int | None
    origin: str | None
    finished: Stored | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def safe(self) -> int:
        return self.path.stat().st_size


class Store:
    """All buckets of one server; ``finalized`` hears of every new object."""

    def __init__(
        self,
        folder: Path,
        buckets: Iterable[str],
        *,
        finalized: Callable[[Resource], None] = lambda _resource: None,
    ) -> None:
        self.folder = folder
        self.buckets = set(buckets)
        self.objects: dict[tuple[str, str], Stored] = {}
        self.sessions: dict[str, Session] = {}
        self.finalized = finalized
        self._lock = threading.RLock()
        self._generation = 0

    def need_bucket(self, bucket: str) -> None:
        if bucket not in self.buckets:
            raise Refused(404, "The specified bucket does not exist.", "notFound")

    def get(
        self, bucket: str, name: str, conditions: Mapping[str, str] | None = None
    ) -> Stored:
        self.need_bucket(bucket)
        found = self.objects.get((bucket, name))
        wanted = (conditions or {}).get("generation")
        if found is None or wanted not in (None, str(found.generation)):
            raise Refused(404, f"No such object: {bucket}/{name}", "notFound")
        self.check(bucket, name, conditions or {})
        return found

    def check(self, bucket: str, name: str, conditions: Mapping[str, str]) -> None:
        """Refuse what a precondition excludes."""
        found = self.objects.get((bucket, name))
        generation = found.generation if found else 0
        meta = int(found.resource["metageneration"]) if found else 0
        rules = (
            ("ifGenerationMatch", lambda wanted: wanted == generation),
            ("ifGenerationNotMatch", lambda wanted: wanted != generation),
            ("ifMetagenerationMatch", lambda wanted: wanted == meta),
        )
        for rule, holds in rules:
            if rule in conditions and not holds(int(conditions[rule])):
                raise Refused(
                    412,
                    "At least one of the pre-conditions you specified did not hold.",
                    "conditionNotMet",
                )

    def put(
        self,
        bucket: str,
        resource: Resource,
        path: Path,
        conditions: Mapping[str, str],
    ) -> Stored:
        """Make a whole file an object; a wrong checksum or precondition refuses it."""
        self.need_bucket(bucket)
        sums = _sums(path)
        for name in ("crc32c", "md5Hash"):
            if resource.get(name) not in (None, sums[name]):
                raise Refused(400, f"Provided {name} doesn't match calculated.")
        with self._lock:
            self.check(bucket, resource["name"], conditions)
            stored = Stored(self._resource(bucket, resource, path, sums), path)
            old = self.objects.get((bucket, resource["name"]))
            self.objects[bucket, resource["name"]] = stored
        if old:
            old.path.unlink()
        self.finalized(stored.resource)
        return stored

    def patch(
        self,
        bucket: str,
        name: str,
        changes: Resource,
        conditions: Mapping[str, str],
    ) -> Stored:
        with self._lock:
            old = self.get(bucket, name, conditions)
            named = {
                **(old.resource.get("metadata") or {}),
                **(changes.get("metadata") or {}),
            }
            resource = old.resource | {k: changes[k] for k in _KEPT if k in changes}
            resource["metadata"] = {k: v for k, v in named.items() if v is not None}
            resource["metageneration"] = str(int(resource["metageneration"]) + 1)
            stored = Stored(resource, old.path)
            self.objects[bucket, name] = stored
        return stored

    def delete(self, bucket: str, name: str, conditions: Mapping[str, str]) -> None:
        with self._lock:
            found = self.get(bucket, name, conditions)
            del self.objects[bucket, name]
        found.path.unlink()

    def names(self, bucket: str) -> list[str]:
        self.need_bucket(bucket)
        with self._lock:
            return sorted(name for where, name in self.objects if where == bucket)

    def content(self, bucket: str, name: str) -> bytes:
        return self.get(bucket, name).path.read_bytes()

    def new_file(self) -> Path:
        return self.folder / uuid4().hex

    def open_session(
        self,
        bucket: str,
        resource: Resource,
        conditions: Mapping[str, str],
        *,
        size: int | None,
        origin: str | None,
    ) -> str:
        self.need_bucket(bucket)
        self.check(bucket, resource["name"], conditions)
        path = self.new_file()
        path.touch()
        named = uuid4().hex
        self.sessions[named] = Session(bucket, resource, path, conditions, size, origin)
        return named

    def session(self, named: str) -> Session:
        if named not in self.sessions:
            raise Refused(404, "No such upload session.", "notFound")
        return self.sessions[named]

    def cancel(self, named: str) -> None:
        session = self.session(named)
        del self.sessions[named]
        if session.finished is None:
            session.path.unlink()

    def finish(self, session: Session, sums: Mapping[str, str]) -> Stored:
        """Make what a session holds an object; refused, the session is over."""
        try:
            session.finished = self.put(
                session.bucket,
                {**session.resource, **sums},
                session.path,
                session.conditions,
            )
        except Refused:
            self.sessions = {k: v for k, v in self.sessions.items() if v is not session}
            raise
        return session.finished

    def _resource(
        self, bucket: str, given: Resource, path: Path, sums: Mapping[str, str]
    ) -> Resource:
        self._generation = max(
            self._generation + 1, int(datetime.now(UTC).timestamp() * 1e6)
        )
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {
            "contentType": "application/octet-stream",
            **{name: given[name] for name in _KEPT if given.get(name)},
            **sums,
            "kind": "storage#object",
            "id": f"{bucket}/{given['name']}/{self._generation}",
            "name": given["name"],
            "bucket": bucket,
            "generation": str(self._generation),
            "metageneration": "1",
            "size": str(path.stat().st_size),
            "etag": _base64(struct.pack(">Q", self._generation)),
            "timeCreated": now,
            "updated": now,
            "storageClass": "STANDARD",
        }


def take(session: Session, start: int, pieces: Iterable[bytes], *, last: bool) -> None:
    """Keep a chunk; of one that breaks off before its end, whole grains only.

    Bytes that are safe already are skipped.

    Raises:
        Refused: the chunk begins behind what is safe, or the session is full.
    """
    if start > session.safe:
        raise Refused(503, "The chunk is out of order.", "backendError")
    whole = False
    try:
        with session.path.open("ab") as file:
            for piece in _behind(pieces, session.safe - start):
                if session.size is not None and (
                    file.tell() + len(piece) > session.size
                ):
                    raise Refused(400, "More bytes than were announced.")
                file.write(piece)
        whole = True
    finally:
        if not whole:
            with session.path.open("r+b") as file:
                file.truncate(session.safe // _GRAIN_BYTES * _GRAIN_BYTES)
    if not last and session.safe % _GRAIN_BYTES:
        raise Refused(400, "A chunk must be a multiple of 256 KiB.")


def notification(resource: Resource) -> dict[str, Any]:
    """Return what Pub/Sub delivers about a new object, as the body of a push."""
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": resource["bucket"],
        "objectId": resource["name"],
        "objectGeneration": resource["generation"],
        "payloadFormat": "JSON_API_V1",
        "eventTime": resource["timeCreated"],
        "notificationConfig": (
            f"projects/_/buckets/{resource['bucket']}/notificationConfigs/1"
        ),
    }
    return {
        "message": {
            "attributes": attributes,
            "data": _base64(json.dumps(resource).encode()),
            "messageId": str(uuid4().int >> 64),
            "publishTime": resource["timeCreated"],
        },
        "subscription": "projects/loopback/subscriptions/upload-finalized",
    }


def _behind(pieces: Iterable[bytes], skip: int) -> Iterator[bytes]:
    for piece in pieces:
        rest, skip = piece[skip:], max(0, skip - len(piece))
        if rest:
            yield rest


def _sums(path: Path) -> dict[str, str]:
    crc, md5 = google_crc32c.Checksum(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            crc.update(piece)
            md5.update(piece)
    return {"crc32c": _base64(crc.digest()), "md5Hash": _base64(md5.digest())}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
