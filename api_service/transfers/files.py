"""Stored files on their way out: whole, in ranges, by link, or not if known."""

from datetime import datetime
from typing import Any, BinaryIO

from flask import request, send_file
from werkzeug import Response
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from api_service.context import deps
from common.errors import NotFound


def link(key: str, *, missing: str, filename: str, content_type: str) -> str | None:
    """Return where the client fetches a stored object itself, for some minutes.

    None: there is no such place, so ``send`` it.

    Raises:
        NotFound: with ``missing``; a link to nothing would be answered by the bucket.
        Unavailable: the storage cannot be reached, or URLs not be signed.
    """
    storage = deps().storage
    url = storage.download_url(key, filename=filename, content_type=content_type)
    if url is not None and storage.size_bytes(key) is None:
        raise NotFound(missing)
    return url


def send(
    key: str,
    *,
    missing: str,
    size_bytes: int,
    etag: str,
    last_modified: datetime,
    **options: Any,  # noqa: ANN401 - those of send_file
) -> Response:
    """Return the answer that sends a stored object, or the range asked for.

    Args:
        key: where the object lies.
        missing: what to say when it does not.
        size_bytes: its length; without one no range could be served.
        etag: changes whenever the object does.
        last_modified: when it was written.
        options: name and type, as ``flask.send_file`` takes them.

    Raises:
        NotFound: with ``missing``.
    """
    try:
        stream: BinaryIO = deps().storage.read(key)
    except NotFound:
        raise NotFound(missing) from None
    response = send_file(stream, last_modified=last_modified, **options)
    response.set_etag(etag)
    response.content_length = size_bytes
    try:
        return response.make_conditional(
            request.environ, accept_ranges=True, complete_length=size_bytes
        )
    except RequestedRangeNotSatisfiable:
        stream.close()
        raise
