"""A whole Pegasus in a temporary home, for one benchmark; nothing of it is left."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.local.postgres import erase, free_port
from common.local.stack import Place, Stack

# What somebody has set for their own Pegasus must not change what is measured.
_OURS = ("PLC_", "PEGASUS_", "OPENAI_", "DATABASE_URL", "STORAGE_MODE")
_OFFLINE = {
    "PLC_INGEST_TRANSCRIBE_PROVIDER": "pocketsphinx",
    "PLC_LLM_PROVIDER": "extractive",
}


@contextmanager
def pegasus(**settings: str) -> Iterator[Stack]:
    """Yield a running stack with its own PostgreSQL, offline unless set otherwise."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="pegasus-bench-") as folder:
        home = Path(folder) / "home"
        place = Place(home, free_port(), free_port(), free_port())
        try:
            with Stack(
                place,
                environment=clean_environment() | _OFFLINE | settings,
                log_folder=home / "logs",
            ) as stack:
                yield stack
        finally:
            erase(home)


def clean_environment() -> dict[str, str]:
    """Return our environment without any setting of Pegasus."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}


def pid(stack: Stack, name: str) -> int:
    """Return the process of a service: gunicorn's master, or the queue."""
    found = stack.service(name).pid
    assert found is not None
    return found


def database_url(stack: Stack) -> str:
    """Return the address of the stack's database."""
    return stack.environment["DATABASE_URL"]
