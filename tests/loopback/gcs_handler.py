"""What the Cloud Storage on loopback does with a request."""

import json
from re import fullmatch
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from tests.loopback.gcs_faults import Fault
from tests.loopback.gcs_signing import EMAIL
from tests.loopback.gcs_store import Refused, Resource, Session, Store, take
from tests.loopback.gcs_wire import Asked, HangUp, Wire, changed

_BUCKET = r"/storage/v1/b/([^/]+)"
_OBJECT = _BUCKET + r"/o/([^/]+)"


class Handler(Wire):
    """One request; the JSON interface by a table, the XML interface for the rest."""

    @property
    def store(self) -> Store:
        return self.server.owner.store

    def answer(self) -> None:
        owner = self.server.owner
        if self.route.startswith("/_control"):
            return self._control()
        owner.asked.append(Asked(self.command, self.path, self.named))
        self.fault = owner.faults.next(self.command, self.path)
        try:
            self._refuse_on_order()
            self._dispatch()
        except Refused as refused:
            self._drain()
            error = {"message": refused.message, "reason": refused.reason}
            self._send(
                refused.status,
                {"error": {"code": refused.status, "errors": [error]} | error},
            )
        return None

    def _refuse_on_order(self) -> None:
        if self.fault.status is not None:
            raise Refused(self.fault.status, "On order.", "backendError")

    def _dispatch(self) -> None:
        path = self.route.removeprefix("/download")
        for method, pattern, serve in _ROUTES:
            found = fullmatch(pattern, path)
            if found and self.command == method:
                serve(self, *map(unquote, found.groups()))
                return
        if not (found := fullmatch(r"/([^/_][^/]*)/(.+)", self.route)):
            raise Refused(404, "Not Found", "notFound")
        self._xml(*map(unquote, found.groups()))

    # Orders from outside

    def _control(self) -> None:
        owner = self.server.owner
        match self.command, self.route:
            case "POST", "/_control/faults":
                owner.faults.add(*(Fault(**one) for one in self._json()))
            case "DELETE", "/_control/faults":
                owner.faults.clear()
            case "GET", "/_control/credentials":
                return self._send(200, owner.credentials())
            case "GET", "/_control/counts":
                counts = {"asked": len(owner.asked), "faults": owner.faults.happened}
                return self._send(200, counts)
            case _:
                return self._send(404)
        return self._send(204)

    # Buckets and objects

    def _make_bucket(self) -> None:
        name = self._json()["name"]
        self.store.buckets.add(name)
        self._send(200, {"kind": "storage#bucket", "name": name})

    def _show_bucket(self, bucket: str) -> None:
        self.store.need_bucket(bucket)
        self._send(200, {"kind": "storage#bucket", "name": bucket})

    def _list(self, bucket: str) -> None:
        after, most = (
            self.query.get("pageToken", ""),
            int(self.query.get("maxResults", 1000)),
        )
        names = [
            name
            for name in self.store.names(bucket)
            if name.startswith(self.query.get("prefix", "")) and name > after
        ]
        items = [self.store.get(bucket, name).resource for name in names[:most]]
        more = {"nextPageToken": names[most - 1]} if len(names) > most else {}
        self._send(200, {"kind": "storage#objects", "items": items} | more)

    def _get(self, bucket: str, name: str) -> None:
        stored = self.store.get(bucket, name, self.query)
        if self.query.get("alt") == "media":
            self._send_bytes(stored)
        else:
            self._send(200, stored.resource)

    def _patch(self, bucket: str, name: str) -> None:
        changed = self.store.patch(bucket, name, self._json(), self.query)
        self._send(200, changed.resource)

    def _delete(self, bucket: str, name: str) -> None:
        self.store.delete(bucket, name, self.query)
        self._send(204)

    # Uploads

    def _upload(self, bucket: str) -> None:
        match self.query.get("uploadType"):
            case "multipart":
                self._upload_at_once(bucket)
            case "resumable":
                resource = self._json()
                resource.setdefault("name", self.query.get("name"))
                kind = self.named.get("x-upload-content-type")
                self._open_session(bucket, {"contentType": kind} | resource, 200)
            case kind:
                raise Refused(400, f"Upload of type {kind!r}.")

    def _upload_at_once(self, bucket: str) -> None:
        boundary = self.named["content-type"].rpartition("boundary=")[2].strip('"')
        damage, self.fault.damage = self.fault.damage, False  # of the object, not JSON
        first, second = _sections(self._body(), boundary.encode())
        path = self.store.new_file()
        path.write_bytes(changed(second) if damage else second)
        resource = json.loads(first)
        try:
            stored = self.store.put(bucket, resource, path, self.query)
        except Refused:
            path.unlink()
            raise
        self._send(200, stored.resource)

    def _open_session(self, bucket: str, resource: Resource, status: int) -> None:
        announced = self.named.get("x-upload-content-length")
        named = self.store.open_session(
            bucket,
            resource,
            {k: v for k, v in self.query.items() if k.startswith("if")},
            size=int(announced) if announced else None,
            origin=self.named.get("origin"),
        )
        place = f"{self.server.owner.url}/upload/storage/v1/b/{quote(bucket)}/o"
        self._send(status, location=f"{place}?uploadType=resumable&upload_id={named}")

    def _session(self) -> Session:
        session = self.store.session(self.query.get("upload_id", ""))
        self.origin = session.origin if "origin" in self.named else None
        return session

    def _chunk(self, _bucket: str) -> None:
        session = self._session()
        with session.lock:
            if session.finished is not None:
                self._drain()
                return self._send(200, session.finished.resource)
            total, asking = self._take(session)
            whole = session.safe == (session.size if total is None else total)
            if whole and not (asking and session.size is None and not total):
                stored = self.store.finish(session, self._sums())
                return self._send(200, stored.resource)
            safe = session.safe
            return self._send(308, **({"range": f"bytes=0-{safe - 1}"} if safe else {}))

    def _take(self, session: Session) -> tuple[int | None, bool]:
        """Keep what came; return the total if it is said, and whether nothing came."""
        said = self.named.get("content-range", f"bytes 0-/{self.left}")
        place = fullmatch(r"bytes (?:(\d+)-\d*|\*)/(\d+|\*)", said)
        if place is None:
            raise Refused(400, "Failed to parse Content-Range.")
        total = None if place[2] == "*" else int(place[2])
        if session.size is not None and total not in (None, session.size):
            raise Refused(400, "The size is not the announced one.")
        if place[1] is None:
            return total, True
        start = int(place[1])
        last = total is not None and start + self.left == total
        take(session, start, self._pieces(), last=last)
        return total, False

    def _sums(self) -> dict[str, str]:
        given = self.named.get("x-goog-hash", "")
        sums = dict(one.split("=", 1) for one in given.split(",") if "=" in one)
        return {"crc32c": sums["crc32c"]} if "crc32c" in sums else {}

    def _cancel(self, _bucket: str) -> None:
        self._session()
        self.store.cancel(self.query["upload_id"])
        self._send(499)

    def _preflight(self, *_place: str) -> None:
        named = self.query.get("upload_id", "")
        session = self.store.sessions.get(named)
        if named and (session is None or session.origin != self.named.get("origin")):
            return self._send(200)
        self.origin = self.named.get("origin")
        return self._send(
            200,
            access_control_allow_methods="GET, HEAD, PUT, POST, DELETE",
            access_control_allow_headers=self.named.get(
                "access-control-request-headers", ""
            ),
            access_control_max_age="3600",
        )

    # Signed URLs

    def _xml(self, bucket: str, name: str) -> None:
        if self.command == "OPTIONS":
            return self._preflight()
        account = self.server.owner.account
        account.check(self.command, self.route, self.query_text, self.named)
        self.origin = self.named.get("origin")
        if self.command in ("GET", "HEAD"):
            return self._send_bytes(self.store.get(bucket, name))
        resource = {"name": name, "contentType": self.named.get("content-type")}
        if self.command == "POST" and self.named.get("x-goog-resumable") == "start":
            return self._open_session(bucket, resource, 201)
        if self.command == "PUT":
            return self._put(bucket, resource)
        raise Refused(405, "MethodNotAllowed")

    def _put(self, bucket: str, resource: Resource) -> None:
        wanted = self.named.get("x-goog-if-generation-match")
        conditions = {} if wanted is None else {"ifGenerationMatch": wanted}
        path = self.store.new_file()
        try:
            with path.open("wb") as file:
                for piece in self._pieces():
                    file.write(piece)
            stored = self.store.put(bucket, resource, path, conditions)
        except (Refused, HangUp):
            path.unlink()
            raise
        self._send(200, etag=stored.resource["etag"])

    # Accounts

    def _token(self) -> None:
        form = dict(parse_qsl(self._body().decode()))
        self._send(200, self.server.owner.account.token(form["assertion"]))

    def _sign_blob(self, email: str) -> None:
        if self.named.get("authorization") != "Bearer token":
            raise Refused(401, "Who are you?", "unauthenticated")
        if email != EMAIL:
            raise Refused(403, "You may not sign for it.", "forbidden")
        account = self.server.owner.account
        self._send(200, account.sign_blob(self._json()["payload"]))


_ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("POST", r"/storage/v1/b", Handler._make_bucket),  # noqa: SLF001
    ("GET", _BUCKET, Handler._show_bucket),  # noqa: SLF001
    ("GET", _BUCKET + "/o", Handler._list),  # noqa: SLF001
    ("GET", _OBJECT, Handler._get),  # noqa: SLF001
    ("PATCH", _OBJECT, Handler._patch),  # noqa: SLF001
    ("DELETE", _OBJECT, Handler._delete),  # noqa: SLF001
    ("POST", "/upload" + _BUCKET + "/o", Handler._upload),  # noqa: SLF001
    ("PUT", "/upload" + _BUCKET + "/o", Handler._chunk),  # noqa: SLF001
    ("DELETE", "/upload" + _BUCKET + "/o", Handler._cancel),  # noqa: SLF001
    ("OPTIONS", "/upload" + _BUCKET + "/o", Handler._preflight),  # noqa: SLF001
    ("POST", "/token", Handler._token),  # noqa: SLF001
    (
        "POST",
        r"/v1/projects/-/serviceAccounts/([^/]+):signBlob",
        Handler._sign_blob,  # noqa: SLF001
    ),
)


def _sections(body: bytes, boundary: bytes) -> tuple[bytes, bytes]:
    """Return what the two parts of a multipart body hold."""
    first, second, _end = (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]
    return first.partition(b"\r\n\r\n")[2], second.partition(b"\r\n\r\n")[2]
