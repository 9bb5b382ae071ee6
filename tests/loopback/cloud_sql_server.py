"""A Cloud SQL instance on loopback: Admin API, token endpoint, and the proxy on 3307.

The proxy takes only clients with a certificate that the Admin API gave out, over TLS
1.3, and passes what they say on to a real PostgreSQL. Who has a certificate with a
token is let in without a password, as the role of the URL. Each server has an address
of its own in 127.0.0.0/8: the port cannot be chosen.
"""

import asyncio
import contextlib
import json
import secrets
import socket
import ssl
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs

import jwt
import pg8000.native
from sqlalchemy import URL

from tests.loopback.certificates import Authority, new_key, pem_of

PROJECT, REGION, NAME = "test-project", "europe-west4", "main"
INSTANCE = f"{PROJECT}:{REGION}:{NAME}"
ACCOUNT = f"pegasus-api@{PROJECT}.iam.gserviceaccount.com"
PORT = 3307
_LOGIN_SCOPE = "https://www.googleapis.com/auth/sqlservice.login"
# Authentication is done; the server is ready.
_LET_IN = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"
_LONGEST_STARTUP = 10_000  # PostgreSQL takes no more either


@dataclass(frozen=True)
class Login:
    """A connection that was let in: who it says it is, and who Google says it is."""

    user: str | None
    token: str | None


class CloudSqlServer:
    """Stands before a PostgreSQL; ``with`` starts and stops it."""

    def __init__(self, url: URL, folder: Path) -> None:
        self._url = url
        self.calls: list[str] = []  # of the Admin API
        self.logins: list[Login] = []
        self.admin_status = 200
        self.silent = False  # takes connections and answers nothing
        self.certificate_seconds = 3600
        self.tokens: dict[str, str] = {}  # of certificates, by serial number
        self._folder = folder
        self._proxy: asyncio.Server | None = None
        self._clients = Authority("client authority")
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._admin = ThreadingHTTPServer(("127.0.0.1", 0), _Admin)
        self._admin.daemon_threads = True
        _Admin.owner = self  # one server at a time

    def __enter__(self) -> Self:
        self._thread.start()
        threading.Thread(
            target=self._admin.serve_forever, args=(0.01,), daemon=True
        ).start()
        self.move()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._admin.shutdown()
        self._admin.server_close()
        self.hang_up()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self._admin.server_port}"

    def credentials_file(self) -> Path:
        """Return a service account's key file whose tokens come from here."""
        file = self._folder / "service_account.json"
        document = {
            "type": "service_account",
            "project_id": PROJECT,
            "client_email": ACCOUNT,
            "token_uri": f"{self.admin_url}/token",
            "private_key_id": "1",
            "private_key": pem_of(new_key()),
        }
        file.write_text(json.dumps(document))
        return file

    def move(self) -> None:
        """Take another address and another certificate, as after a failover."""
        self.hang_up()
        servers = Authority("server authority")
        self.ca_pem = servers.pem
        self._tls = servers.server_context(self._folder, trusts=self._clients)
        places = [str(1 + secrets.randbelow(254)) for _ in range(3)]
        self.address = ".".join(["127", *places])
        self.listen()

    def hang_up(self) -> None:
        """Hang up on everybody and listen no more."""
        self._on_loop(self._close())

    def listen(self) -> None:
        self._on_loop(self._listen())

    def issue(self, public_key: str, token: str | None) -> str:
        """Return a client's certificate; the token is bound to it."""
        serial, pem = self._clients.issue(
            "client", public_key, seconds=self.certificate_seconds
        )
        if token is not None:
            self.tokens[serial] = token
        return pem

    def _run(self) -> None:
        with self._runner:
            self._loop.run_forever()

    def _on_loop(self, what) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        self._proxy = await asyncio.start_server(
            self._serve, self.address, PORT, ssl=self._tls
        )

    async def _close(self) -> None:
        if self._proxy is not None:
            self._proxy.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader, writer) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError, ssl.SSLError):
            startup = await _startup(reader)
            serial = writer.get_extra_info("peercert")["serialNumber"]
            token = self.tokens.get(serial)
            fields = _fields(startup)
            self.logins.append(Login(fields["user"], token))
            if self.silent:
                await asyncio.Future()  # until they or we hang up
            back_reader, back_writer = await self._open(startup, writer, token)
            try:
                await asyncio.gather(
                    self._copy(reader, back_writer), self._copy(back_reader, writer)
                )
            finally:
                back_writer.transport.abort()
        writer.transport.abort()

    async def _open(self, startup, client, token):
        """Return streams to PostgreSQL, behind the login if there is a token."""
        url = self._url
        if token is None:
            streams = await asyncio.open_connection(url.host, url.port)
            streams[1].write(startup)
            return streams
        database = _fields(startup)["database"]
        own = await asyncio.to_thread(
            pg8000.native.Connection,
            url.username,
            url.host,
            database,
            url.port,
            url.password,
            ssl_context=False,
        )
        client.write(_LET_IN)
        return await asyncio.open_connection(sock=own._usock)  # noqa: SLF001

    async def _copy(self, reader, writer) -> None:
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
        writer.close()


async def _startup(reader) -> bytes:
    head: bytes = await reader.readexactly(4)
    [length] = struct.unpack("!i", head)
    assert length < _LONGEST_STARTUP
    rest: bytes = await reader.readexactly(length - 4)
    return head + rest


def _fields(startup: bytes) -> dict[str, str]:
    words = startup[8:].decode().split("\0")
    return dict(zip(words[::2], words[1::2], strict=False))


class _Admin(BaseHTTPRequestHandler):
    """The three calls that the connector makes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: CloudSqlServer

    def do_GET(self) -> None:
        path = f"/sql/v1beta4/projects/{PROJECT}/instances/{NAME}/connectSettings"
        if self.path != path or not self._may("admin-"):
            return
        self._give(
            {
                "region": REGION,
                "databaseVersion": "POSTGRES_18",
                "serverCaCert": {"cert": self.owner.ca_pem},
                "ipAddresses": [
                    {"type": "PRIVATE", "ipAddress": self.owner.address},
                ],
            }
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            return self._token(body)
        path = f"/sql/v1beta4/projects/{PROJECT}/instances/{NAME}:generateEphemeralCert"
        if self.path != path or not self._may("admin-"):
            return None
        asked = json.loads(body)
        cert = self.owner.issue(asked["public_key"], asked.get("access_token"))
        return self._give({"ephemeralCert": {"cert": cert}})

    def _token(self, body: bytes) -> None:
        """Give a token for what the signed assertion asks; its kind is in its name."""
        [assertion] = parse_qs(body.decode())["assertion"]
        kind = "login" if _LOGIN_SCOPE in _claims(assertion)["scope"] else "admin"
        token = f"{kind}-{secrets.token_hex(8)}"
        self._give({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def _may(self, kind: str) -> bool:
        self.owner.calls.append(self.path.rpartition(NAME)[2].strip("/:"))
        known = self.headers["Authorization"].startswith(f"Bearer {kind}")
        status = self.owner.admin_status if known else 401
        if status != 200:
            self._give({"error": {"message": "refused"}}, status)
        return status == 200

    def _give(self, document: object, status: int = 200) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def _claims(assertion: str) -> dict[str, str]:
    return jwt.decode(assertion, options={"verify_signature": False})


def loopback_addresses() -> bool:
    """Tell whether this system has all of 127.0.0.0/8, as Linux does."""
    with socket.socket() as one:
        try:
            one.bind(("127.1.2.3", 0))
        except OSError:
            return False
    return True
