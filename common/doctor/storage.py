"""Whether storage takes, gives and removes objects."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from uuid import uuid4

from common import object_keys
from common.deps import Deps
from common.doctor.finding import Finding
from common.errors import AppError
from common.providers.storage import Storage
from common.settings import Settings

_CONTENT = b"a probe; whoever reads this may delete it"
_NOTHING = "it is not there, or it holds other bytes"


def usable(deps: Deps, _today: date) -> Iterator[Finding]:
    """Write a small object, read it, sign for it and remove it."""
    with _tidy(deps.settings):
        yield from _tried(deps)


@contextmanager
def _tidy(settings: Settings) -> Iterator[None]:
    """Take away the folders that a first write makes."""
    folder = settings.storage_dir.absolute()
    absent = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    finally:
        with suppress(OSError):  # not made at all, or in use already
            for one in (*folder.glob("*"), *absent) if absent else ():
                one.rmdir()


def _tried(deps: Deps) -> Iterator[Finding]:
    advice = _advice(deps.settings)
    key = object_keys.probe(uuid4())
    place = deps.storage.uri(key).removesuffix(f"/{key}")
    failure = _failed("written", lambda: _write(deps.storage, key))
    if failure:
        yield Finding("problem", f"{place}: {failure} {advice}")
        return
    unread = _failed("read", lambda: _read(deps.storage, key))
    if unread:
        yield Finding("problem", f"{place}: {unread} {advice}")
    yield from _signed(deps, key)
    left = _failed("removed", lambda: deps.storage.delete(key))
    if left:
        yield Finding("problem", f"{place}: {left} {key} is left. {advice}")
    if not (unread or left):
        yield Finding("ok", f"{place}: objects can be written, read and removed.")


def _failed(verb: str, step: Callable[[], object]) -> str:
    """Return why a step failed, as a sentence; empty if it did not."""
    try:
        done = step()
    except (AppError, OSError) as exc:
        return f"an object cannot be {verb}. {str(exc).rstrip('.')}."
    return "" if done else f"an object cannot be {verb}: {_NOTHING}."


def _write(storage: Storage, key: str) -> bool:
    return storage.write(key, io.BytesIO(_CONTENT)).size_bytes == len(_CONTENT)


def _read(storage: Storage, key: str) -> bool:
    with storage.read(key) as stream:
        return stream.read(len(_CONTENT) + 1) == _CONTENT


def _signed(deps: Deps, key: str) -> Iterator[Finding]:
    """Tell whether clients can be sent to the bucket itself."""
    if deps.settings.storage_mode == "local":
        return
    try:
        url = deps.storage.download_url(
            key, filename="probe", content_type="text/plain"
        )
    except (AppError, OSError) as exc:
        advice = "allow our account to sign (PEGASUS_SIGNING_SERVICE_ACCOUNT)"
        yield Finding("problem", f"No download can be signed: {exc} {advice}.")
        return
    if url is None:
        way = "files pass through the API: set PEGASUS_SIGNING_SERVICE_ACCOUNT"
        yield Finding("note", f"This account cannot sign downloads, so {way}.")
    else:
        yield Finding("ok", "Downloads can be signed.")


def _advice(settings: Settings) -> str:
    if settings.storage_mode == "local":
        return "Make PLC_STORAGE_DIR a folder that we can write, with room in it."
    bucket = f"{settings.storage_mode.upper()}_BUCKET"
    return f"Check {bucket}, and what our account may do there (403: too little)."
