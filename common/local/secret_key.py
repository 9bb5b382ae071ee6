"""The key that signs what people log in with, where nobody has set one."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

_NAME = "secret_key"


def secret_key(home: Path) -> str:
    """Return this home's key, made by the first who asks.

    It is kept, so that who has logged in stays so when all starts anew.
    """
    path = home / _NAME
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=home) as folder:  # for its owner only
            new = Path(folder) / _NAME
            new.touch(mode=0o600)
            new.write_text(secrets.token_hex(32))
            with suppress(FileExistsError):  # of two at the same moment one wins
                os.link(new, path)
    return path.read_text()
