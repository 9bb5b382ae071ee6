"""Free ports, clean settings, and processes that must be gone in the end."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from common.local.postgres import erase, free_port
from common.local.stack import Place
from tests.folders import open_folder

# What somebody has set for their own Pegasus must not change what is tested.
_OURS = (
    *("PLC_", "PEGASUS_", "OPENAI_", "DATABASE_URL", "STORAGE_MODE", "PORT"),
    *("SECRET_KEY", "ADMIN_TOKEN", "VIDWIZ_", "WIZ_", "JWT_", "GOOGLE_CLIENT_ID"),
    *("ENVIRONMENT", "DB_URL"),
)
_PATIENCE_SECONDS = 60  # long enough for a machine that does ten other things
_LOOK_SECONDS = 0.05

OFFLINE = {
    "PLC_INGEST_TRANSCRIBE_PROVIDER": "pocketsphinx",
    "PLC_LLM_PROVIDER": "extractive",
    "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": "10000",
}


def clean_environment():
    """Return our environment without any setting of Pegasus."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}


@contextmanager
def new_home() -> Iterator[Path]:
    """Yield a folder for one Pegasus; nothing of it is left."""
    folder = open_folder()
    try:
        yield folder
    finally:
        erase(folder)
        shutil.rmtree(folder)


def free_place(home: Path) -> Place:
    return Place(home, free_port(), free_port(), free_port())


def wait_for(condition, *, seconds=_PATIENCE_SECONDS):
    """Return what ``condition`` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{condition} is still {found!r}"
        time.sleep(_LOOK_SECONDS)
    return found


def descendants(pid: int) -> set[psutil.Process]:
    """Return all processes below this one; none if it is gone."""
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def survivors(processes: set[psutil.Process]) -> list[str]:
    """Return those that still run; one that nobody has waited for does not."""
    return [repr(one) for one in processes if _runs(one)]


def _runs(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
