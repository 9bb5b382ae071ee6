"""How a signed URL names what it gives."""

import re
from urllib.parse import quote

_UNSAFE = re.compile(r"[^ !#$&+\-.^_`|~0-9A-Za-z()\[\],;=@]")


def content_disposition(filename: str) -> str:
    """Return the header that has a browser save ``filename``.

    A name that is not plain ASCII is given in both forms. Source: RFC 6266, section 5.
    """
    plain = _UNSAFE.sub("_", filename)
    header = f'attachment; filename="{plain}"'
    if plain == filename:
        return header
    return f"{header}; filename*=UTF-8''{quote(filename, safe='')}"
