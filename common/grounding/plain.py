"""Words as they are compared: no case, no marks, no punctuation."""

import re
import unicodedata
from collections.abc import Iterator

_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|[^\\W_]+"
)


def words(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each word, and where its letters start and end in ``text``."""
    for match in _WORD.finditer(text):
        plain = unicodedata.normalize("NFKD", match[0].casefold())
        bare = "".join(c for c in plain if not unicodedata.combining(c))
        yield bare or match[0], match.start(), match.end()


def plain(text: str) -> str:
    """Return a text as it is compared."""
    return " ".join(word for word, _, _ in words(text)) or text
