"""Three ways to look at a Pegasus: as one of its services, as its owner, as a guest.

A service has the settings of a deployment in its environment. The owner of a laptop has
the home of ``scripts/dev``. A guest has the address of an API.
"""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy.exc import ArgumentError

from common import db, doctor
from common import deps as wiring
from common.deps import Deps
from common.doctor import clocks, laptop, services
from common.doctor.bounded import run
from common.doctor.finding import Check, Finding
from common.errors import AppError
from common.local.stack import place_from
from common.settings import InvalidEnvironment, Settings

Report = Iterator[tuple[str, Finding]]
Load = Callable[..., Settings]
"""Reads the environment; variables by name come before what stands there."""

_ANSWER_SECONDS = 4  # statements of ours take milliseconds
_WITH_SETTINGS = ("DATABASE_URL", "PEGASUS_INTERNAL_SECRET", "PEGASUS_IDENTITY")
# What needs the secrets of scripts/dev, or is said by its API.
_FOR_SERVICES = {"queue", "secret"}


def has_settings() -> bool:
    """Tell whether the environment is that of a service."""
    return any(os.environ.get(name) for name in _WITH_SETTINGS)


def as_service(load: Load, url: str | None) -> Report:
    """Examine all parts by the settings of the environment; ``url`` is the API's."""
    instead = {"PEGASUS_PUBLIC_URL": url} if url else {}
    deps = yield from _wired(load, instead)
    if deps is not None:
        yield from doctor.examine(deps, _today())
    elif address := url or os.environ.get("PEGASUS_PUBLIC_URL"):
        yield from as_guest(address)


def as_guest(url: str) -> Report:
    """Examine what an API shows to anybody."""
    return run(
        {
            "api": lambda: services.outside(url),
            "api clock": lambda: clocks.outside_clock(url),
        }
    )


def as_owner(load: Load, url: str | None) -> Report:
    """Examine the machine, what ``scripts/dev`` would run on it, and what runs."""
    try:
        found = laptop.examined(place_from(os.environ), os.environ)
    except (AppError, OSError) as exc:
        yield "home", Finding("problem", f"The home cannot be examined: {exc}")
        return
    yield from run(found.tasks())
    instead = found.environment(os.environ)
    if url:
        instead["PEGASUS_PUBLIC_URL"] = url
    deps = yield from _wired(load, instead)
    if deps is not None:
        yield from doctor.examine(deps, _today(), _checks(deps, running=found.ready))
    elif found.ready or url:
        yield from as_guest(instead["PEGASUS_PUBLIC_URL"])


def _checks(deps: Deps, *, running: bool) -> Mapping[str, Check]:
    if running:
        every = doctor.CHECKS.items()
        return {name: check for name, check in every if name not in _FOR_SERVICES}
    checks = dict(doctor.CONFIGURATION)
    given = deps.settings
    if given.storage_mode != "local" or Path(given.storage_dir).exists():
        checks["storage"] = doctor.PARTS["storage"]
    return checks


def _wired(
    load: Load, instead: Mapping[str, str]
) -> Generator[tuple[str, Finding], None, Deps | None]:
    """Yield what is wrong with the settings; return the parts if nothing is."""
    try:
        given = load(**instead)
        built = wiring.build(given)
        patient = db.connect_from(given, pool_size=4, answer_seconds=_ANSWER_SECONDS)
    except InvalidEnvironment as exc:
        for line in str(exc).splitlines()[1:]:
            yield "settings", Finding("problem", line.removeprefix("- "))
    except ArgumentError:
        yield "settings", Finding("problem", "DATABASE_URL must be a PostgreSQL URL.")
    except ImportError as exc:
        text = f"The settings need {exc.name}, which is not installed here"
        advice = "examine this deployment from one of its images, or with --url"
        yield "settings", Finding("problem", f"{text}: {advice}.")
    else:
        yield "settings", Finding("ok", "Every setting is valid.")
        return replace(built, db=patient)
    return None


def _today() -> date:
    return datetime.now(UTC).date()
