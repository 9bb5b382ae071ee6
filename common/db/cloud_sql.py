"""The line to a Cloud SQL instance, as Google's connector lays it.

Made from the connector's parts (1.23) and not by ``Connector.connect``, which gives
pg8000 a socket without a timeout, waits for a silent instance in the thread that all
others need, and cannot make a connection of our own kind. The certificate is renewed
when a connection needs it: between requests, Cloud Run gives no CPU to do so.
"""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import google.auth
from aiohttp import ClientError
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.sql.connector.client import CloudSQLClient
from google.cloud.sql.connector.connection_info import ConnectionInfo
from google.cloud.sql.connector.connection_name import ConnectionName
from google.cloud.sql.connector.enums import IPTypes
from google.cloud.sql.connector.exceptions import (
    AutoIAMAuthNotSupported,
    CloudSQLConnectionError,
    CloudSQLIPTypeError,
)
from google.cloud.sql.connector.utils import generate_keys

from common.db import driver
from common.settings.google_cloud import IpKind

log = logging.getLogger(__name__)

_PROXY_PORT = 3307  # where every instance takes connections with such certificates
_SCOPE = "https://www.googleapis.com/auth/sqlservice.admin"
_ADMIN_SECONDS = 10  # it answers in 0.3 s; a request waits for this
_MARGIN = timedelta(minutes=4)  # as the connector: a certificate lasts an hour
_ASK_AGAIN_SECONDS = 10  # 180 calls a minute are allowed, and addresses hardly change
_SERVICE_ACCOUNT = ".gserviceaccount.com"

_REFUSALS = (
    ClientError,
    GoogleAuthError,
    AutoIAMAuthNotSupported,
    CloudSQLConnectionError,
    CloudSQLIPTypeError,
    TimeoutError,
    KeyError,  # an answer without what was asked for
    ValueError,  # an answer about another region
)


def login_name(user: str) -> str:
    """Return what PostgreSQL calls a service account: its e-mail, cut short.

    Source: cloud.google.com/sql/docs/postgres/iam-logins, read 2026-11.
    """
    return user.removesuffix(_SERVICE_ACCOUNT)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where the instance is, and the certificates for it."""

    hosts: Sequence[str]
    tls: ssl.SSLContext
    good_until: datetime
    asked_at: float  # on the monotonic clock


class Instance:
    """One Cloud SQL instance. Nothing is asked or opened until ``dial``."""

    def __init__(
        self, name: str, *, ip_type: IpKind, iam_login: bool, admin_url: str | None
    ) -> None:
        """Take ``name`` as project:region:instance.

        Args:
            name: the instance's connection name.
            ip_type: which of its addresses we can reach.
            iam_login: whether Google vouches for us instead of a password.
            admin_url: where the Admin API is, for tests.
        """
        # A project may be one of a domain: example.com:project.
        self._name = ConnectionName(*name.rsplit(":", 2))
        self._ip_type = IPTypes[ip_type.upper()]
        self._iam_login = iam_login
        self._admin_url = admin_url
        self._lock = threading.Lock()
        self._way: _Way | None = None
        self._in_doubt = False

    def dial(self) -> ssl.SSLSocket:
        """Return an encrypted line to the instance's PostgreSQL.

        Raises:
            OSError: it cannot be reached; try again.
        """
        way = self._known_way()
        try:
            line = _connect(way)
        except OSError:
            self._in_doubt = True  # it may have moved, or changed its certificate
            raise
        self._in_doubt = False
        return line

    def _known_way(self) -> _Way:
        if not self._lock.acquire(timeout=_ADMIN_SECONDS):
            raise TimeoutError("Cloud SQL's Admin API does not answer.")
        try:
            if self._way is None or self._has_lapsed(self._way):
                self._way = self._ask()
            elif self._in_doubt and _is_old(self._way):
                self._way = self._ask_if_possible(self._way)
            return self._way
        finally:
            self._lock.release()

    def _has_lapsed(self, way: _Way) -> bool:
        return datetime.now(UTC) > way.good_until - _MARGIN

    def _ask_if_possible(self, way: _Way) -> _Way:
        try:
            return self._ask()
        except ConnectionError:
            return way

    def _ask(self) -> _Way:
        try:
            return asyncio.run(self._ask_admin())
        except _REFUSALS as exc:
            what = {"error": type(exc).__name__, "status": getattr(exc, "status", None)}
            log.warning("cloud_sql.refused", extra=what)
            raise ConnectionError("Cloud SQL's Admin API refused.") from exc

    async def _ask_admin(self) -> _Way:
        async with asyncio.timeout(_ADMIN_SECONDS):
            found = await self._connection_info()
            return _Way(
                hosts=found.get_preferred_ips(self._ip_type),
                tls=await found.create_ssl_context(self._iam_login),
                good_until=found.expiration,
                asked_at=time.monotonic(),
            )

    async def _connection_info(self) -> ConnectionInfo:
        client = CloudSQLClient(
            self._admin_url, None, self._credentials, driver="pg8000"
        )
        keys = asyncio.ensure_future(generate_keys())
        try:
            return await client.get_connection_info(self._name, keys, self._iam_login)
        finally:
            await client.close()

    @cached_property
    def _credentials(self) -> Credentials:
        found: Credentials
        found, _project = google.auth.default(scopes=[_SCOPE])
        return found


def _is_old(way: _Way) -> bool:
    return time.monotonic() - way.asked_at > _ASK_AGAIN_SECONDS


def _connect(way: _Way) -> ssl.SSLSocket:
    """Try one address after the other."""
    for host in way.hosts[:-1]:
        try:
            return _connect_to(host, way.tls)
        except OSError:
            log.info("cloud_sql.next_address")
    return _connect_to(way.hosts[-1], way.tls)


def _connect_to(host: str, tls: ssl.SSLContext) -> ssl.SSLSocket:
    line = socket.create_connection((host, _PROXY_PORT), driver.HELLO_SECONDS)
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return tls.wrap_socket(line, server_hostname=host)
    except OSError:
        line.close()
        raise
