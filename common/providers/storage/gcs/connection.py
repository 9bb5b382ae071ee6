"""The client of Cloud Storage: made when first needed, patient for seconds only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import google.auth
import google_crc32c
from google.api_core.exceptions import (
    GoogleAPICallError,
    PreconditionFailed,
    RetryError,
)
from google.api_core.exceptions import NotFound as NoSuchThing
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Blob, Bucket, Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import RequestException
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from common.errors import Conflict, NotFound, Unavailable
from common.providers.storage.sources import Digest

# Connecting takes a round trip or two; a slow line needs 20 s for 8 MiB.
TIMEOUT = (3.0, 20.0)
# A job is tried again by its queue, and a request's client does not wait for long.
RETRY = DEFAULT_RETRY.with_delay(initial=0.2, maximum=2.0).with_timeout(6.0)
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

_CONNECTIONS = 32  # kept open at a time: threads of a process; more are made and closed
_FAILURES = (
    GoogleAPICallError,
    GoogleAuthError,
    DataCorruption,
    InvalidResponse,
    RetryError,
    RequestException,
    HTTPError,
    ConnectionError,
)


@dataclass(frozen=True)
class Connection:
    """One bucket, and the folder in it that is ours."""

    bucket_name: str
    prefix: str
    project: str | None

    @cached_property
    def client(self) -> Client:
        """The vendor's client. With an emulator it needs no credentials."""
        if is_emulated():
            credentials: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]
        else:
            credentials, _project = google.auth.default(SCOPES)
        session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        session.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        client = Client(self.project, credentials, _http=session)
        # A thread of its own would ask for the bucket's place, which traces do not need
        # and our rights do not allow.
        client._bucket_metadata_cache = None  # noqa: SLF001 - no parameter turns it off
        return client

    def name(self, key: str) -> str:
        """Return the object's name in the bucket."""
        return f"{self.prefix}/{key}"

    def blob(self, key: str, *, generation: int | None = None) -> Blob:
        """Return the vendor's handle; the network is not asked."""
        bucket = Bucket(self.client, self.bucket_name)
        return Blob(self.name(key), bucket, generation=generation)


def crc32c() -> Digest:
    """Return an empty sum of the kind that the vendor keeps of each object."""
    digest: Digest = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    return digest


def is_emulated() -> bool:
    """Return whether the vendor's library speaks to an emulator: its own variable."""
    return "STORAGE_EMULATOR_HOST" in os.environ


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Give the vendor's failures their meaning.

    Their texts and their causes are dropped: they hold the URL, and those of sessions
    are credentials.

    Raises:
        NotFound: there is no such object (``object_missing``).
        Conflict: there is one already (``object_exists``).
        Unavailable: anything else; what is wrong with a bucket or our rights in it is
            for an operator to mend, and no job should be lost until then.
    """
    try:
        yield
    except NoSuchThing as exc:
        if "bucket does not exist" in str(exc):
            raise Unavailable("The storage bucket does not exist.") from None
        raise NotFound(f"No object {key!r}.", code="object_missing") from None
    except PreconditionFailed:
        text = f"Something is stored as {key!r}."
        raise Conflict(text, code="object_exists") from None
    except _FAILURES as exc:
        raise Unavailable(f"Storage does not answer: {_reason(exc)}.") from None


def _reason(exc: BaseException) -> str:
    """Return a status or a kind of error."""
    cause = exc.cause if isinstance(exc, RetryError) else exc
    if isinstance(cause, GoogleAPICallError) and cause.code is not None:
        return f"HTTP {int(cause.code)}"
    if isinstance(cause, InvalidResponse):
        return f"HTTP {int(cause.response.status_code)}"
    return type(cause).__name__
