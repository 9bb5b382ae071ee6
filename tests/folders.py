"""Folders that pytest's own cannot stand in for."""

import os
import shutil
import tempfile
from pathlib import Path


def open_folder():
    """Make a folder that everybody may walk through; pytest's own are private.

    In memory if there is room and programs may run there: a disk takes up to ten times
    as long to make and remove a database.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a fresh folder in it
    fast = None
    if memory.exists() and shutil.disk_usage(memory).free > 2**30:
        fast = None if os.statvfs(memory).f_flag & os.ST_NOEXEC else memory
    made = Path(tempfile.mkdtemp(prefix="pegasus-test-", dir=fast))
    made.chmod(0o755)
    return made
