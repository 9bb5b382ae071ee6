"""The client of S3: made when first needed, patient for seconds only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from common.errors import Conflict, NotFound, Unavailable

_CONNECT_SECONDS = 3  # a round trip or two
_READ_SECONDS = 20  # a slow line needs that for a part of 8 MiB
# A job is tried again by its queue, and a request's client does not wait for long.
_TRIES = 3
_CONNECTIONS = 32  # kept open at a time: threads of a process; more are made and closed
_EXISTS = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True)
class Connection:
    """One bucket, and the folder in it that is ours.

    Args:
        bucket: its name.
        prefix: the folder, without slashes around it.
        region: None is what the vendor's own configuration says.
        endpoint_url: a server that speaks S3; None is the vendor's.
    """

    bucket: str
    prefix: str
    region: str | None
    endpoint_url: str | None

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - made by the vendor at run time
        """The vendor's client; credentials come from where it looks for them."""
        style = {"addressing_style": "path"} if self.endpoint_url else {}
        config = Config(
            signature_version="s3v4",
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=_CONNECTIONS,
            s3=style,
        )
        return Session(region_name=self.region).client(
            "s3", endpoint_url=self.endpoint_url, config=config
        )

    def place(self, key: str) -> dict[str, str]:
        """Return what every call about an object begins with."""
        return {"Bucket": self.bucket, "Key": self.name(key)}

    def name(self, key: str) -> str:
        """Return the object's name in the bucket."""
        return f"{self.prefix}/{key}"


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Give the vendor's failures their meaning; their texts may hold addresses.

    Raises:
        NotFound: no such object (``object_missing``) or upload (``upload_missing``).
        Conflict: there is such an object, or one is just being made.
        Unavailable: anything else; what is wrong with a bucket or our rights in it is
            for an operator to mend, and no job should be lost until then.
    """
    try:
        yield
    except ClientError as exc:
        raise _meaning(exc.response, key) from None
    except (BotoCoreError, HTTPError, ConnectionError) as exc:
        text = f"Storage does not answer: {type(exc).__name__}."
        raise Unavailable(text) from None


def _meaning(
    response: Any,  # noqa: ANN401 - the vendor's, untyped
    key: str,
) -> NotFound | Conflict | Unavailable:
    code = response["Error"].get("Code", "")
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    if code == "NoSuchBucket":
        return Unavailable("The storage bucket does not exist.")
    if code == "NoSuchUpload":
        return NotFound("The upload session is over.", code="upload_missing")
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"No object {key!r}.", code="object_missing")
    if code in _EXISTS or status == HTTPStatus.PRECONDITION_FAILED:
        return Conflict(f"Something is stored as {key!r}.", code="object_exists")
    return Unavailable(f"Storage does not answer: HTTP {status}.")
