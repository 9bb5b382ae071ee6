"""Ask the child about a PDF, and take its word only in the right form."""

import json
from typing import Any, BinaryIO

from common import sandbox
from common.errors import UnreadableDocument

_MODULE = "common.documents"
_CHECK_SECONDS = 20.0
_PAGES_SECONDS = 400.0
_FACTS_BYTES = 16_384
_TEXT_BYTES = 64 * 1024 * 1024  # 2,000 dense pages have 10 MB
_CODES = frozenset(
    (
        "document_unreadable",
        "document_encrypted",
        "document_empty",
        "document_too_long",
        "document_no_text",
    )
)


def check(file: BinaryIO) -> int:
    """Return the number of pages of a PDF that has text, without reading all of it.

    Raises:
        UnreadableDocument: it cannot be used; see its codes.
        Crowded: too many others are looked into.
    """
    with sandbox.turn():
        line = sandbox.ask(
            _MODULE,
            "check",
            file=file,
            timeout_seconds=_CHECK_SECONDS,
            most_bytes=_FACTS_BYTES,
        )
    return _facts(line.splitlines()[:1])


def pages(file: BinaryIO) -> list[str]:
    """Return the text of each page, in order; pages without text are blank.

    Raises:
        UnreadableDocument: it cannot be used, or broke off in the middle.
    """
    lines = sandbox.ask(
        _MODULE,
        "pages",
        file=file,
        timeout_seconds=_PAGES_SECONDS,
        most_bytes=_TEXT_BYTES,
    ).splitlines()
    count = _facts(lines[:1])
    texts = [str(_json(line)) for line in lines[1:]]
    if len(texts) != count:
        raise UnreadableDocument("The PDF is damaged: it cannot be read to its end.")
    return texts


def _facts(lines: list[bytes]) -> int:
    facts = _json(lines[0]) if lines else None
    match facts:
        case {"pages": int(count)}:
            return count
        case {"code": str(code), "message": str(message)} if code in _CODES:
            raise UnreadableDocument(message, code=code)
        case _:
            raise UnreadableDocument


def _json(line: bytes) -> Any:  # noqa: ANN401 - whatever the child wrote
    try:
        return json.loads(line)
    except ValueError:
        raise UnreadableDocument from None
