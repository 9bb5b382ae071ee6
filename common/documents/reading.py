"""What a PDF holds, read by pypdf. Runs only in the child of ``common.sandbox``."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from common.errors import UnreadableDocument

MOST_PAGES = 2_000  # a long textbook


def opened(file: BinaryIO) -> PdfReader:
    """Return the document; a broken cross-reference table is mended on the way.

    Raises:
        UnreadableDocument: not a PDF, encrypted, without pages, or with too many.
    """
    try:
        reader = PdfReader(file, strict=False)
        if reader.is_encrypted:
            raise UnreadableDocument(
                "The PDF is encrypted: save it without a password and try again.",
                code="document_encrypted",
            )
        count = len(reader.pages)
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise UnreadableDocument from exc
    if not count:
        raise UnreadableDocument("The PDF has no pages.", code="document_empty")
    if count > MOST_PAGES:
        raise UnreadableDocument(
            f"The PDF has {count} pages; at most {MOST_PAGES} are taken.",
            code="document_too_long",
        )
    return reader


def pages(reader: PdfReader) -> Iterator[str]:
    """Yield the text of each page; a page that cannot be read has none."""
    for page in reader.pages:
        try:
            text = page.extract_text()
        except (PyPdfError, ValueError, KeyError, TypeError, RecursionError):
            text = ""
        yield " ".join(text.replace("\x00", " ").split())


def require_text(texts: Iterable[str], count: int) -> None:
    """Refuse a document of ``count`` pages if these are all of them, and blank.

    Raises:
        UnreadableDocument: there is nothing to read.
    """
    seen = list(texts)
    if len(seen) == count and not any(seen):
        raise UnreadableDocument(
            "The PDF has no text; scanned pages cannot be read yet.",
            code="document_no_text",
        )
