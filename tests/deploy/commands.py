"""Commands that others run for us: do they start something that is there?"""

import re
from importlib.util import find_spec
from pathlib import Path

from tests.deploy.dockerfile import stages

ROOT = Path(__file__).parents[2]
_GUNICORN = re.compile(r"gunicorn --config python:(\S+) (\S+):app")
_MODULE = re.compile(r"python -m ([\w.]+)( \d+)?")


def problem(command: str) -> str | None:
    """Return what is wrong with a command line; None if nothing is."""
    plain = re.sub(r"^env( [A-Z_]+=\S+)+ ", "", command)
    found = _GUNICORN.fullmatch(plain) or _MODULE.fullmatch(plain)
    if found is None:
        return f"{command}: not known"
    modules = [m for m in found.groups() if m and not m.strip().isdigit()]
    lost = [module for module in modules if find_spec(module) is None]
    return f"{command}: no {lost}" if lost else None


def last_stage() -> str:
    """Return the stage that is built when no target is named."""
    return list(stages())[-1]
