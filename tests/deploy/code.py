"""What of the code the infrastructure has to fit."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from uuid import UUID

from pydantic import SecretStr

import worker_service.app
from common import object_keys
from common.providers.queue import cloud_tasks_calls
from common.settings import Settings
from worker_service.events import EVENTS
from worker_service.handlers import HANDLERS

ROOT = Path(__file__).parents[2]
PACKAGES = ("api_service", "worker_service", "common")
_READ = re.compile(
    r"os\.environ(?:\.get\(|\[)\s*\"([A-Z_]+)\"|\"([A-Z_]+)\" in os\.environ"
)
# Read by vendors' libraries in our processes, not by us.
_VENDORS = {
    *("PORT", "PUBSUB_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
}

# Where a client's own files arrive: the part of their keys that is no id of ours.
UPLOADS = object_keys.upload(UUID(int=0), "a.wav").partition("/")[0] + "/"
QUEUES = {handler.payload.queue for handler in HANDLERS.values()} | {"solo"}
MOST_ATTEMPTS = max(handler.payload.max_attempts for handler in HANDLERS.values())
PUSHED = set(EVENTS)
DISPATCH_DEADLINE: timedelta = cloud_tasks_calls._DISPATCH_DEADLINE  # noqa: SLF001


def sources(*packages: str) -> Iterator[tuple[Path, str]]:
    """Yield path and text of every module."""
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, path.read_text()


def scheduled() -> set[str]:
    """Return the paths that the worker serves for the clock."""
    app = worker_service.app.create_app(_nothing(), _nothing())
    return {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/schedules/") and "POST" in (rule.methods or ())
    }


def _nothing() -> Any:
    """Return what routes are registered with and what no request will look into."""
    return SimpleNamespace(
        identity=None, settings=SimpleNamespace(google_cloud_project=None)
    )


def settings_fields() -> dict[str, Any]:
    """Return the fields of the settings by their variables."""
    return {str(f.validation_alias): f for f in Settings.model_fields.values()}


def known_variables(*packages: str) -> set[str]:
    """Return all variables that a program of these packages reads."""
    read = {
        first or second
        for _, text in sources(*packages)
        for first, second in _READ.findall(text)
    }
    return set(settings_fields()) | read | _VENDORS


def is_secret(variable: str) -> bool:
    """Return whether the settings keep this variable's value from being shown."""
    field = settings_fields().get(variable)
    if field is None:
        return False
    return SecretStr in (field.annotation, *get_args(field.annotation))


@dataclass(frozen=True)
class Line:
    """What a line of the logs says: its message and the names of its fields."""

    message: str
    fields: frozenset[str]


def log_lines() -> set[Line]:
    """Return every line with a fixed message that the code writes."""
    return {
        line
        for _, text in sources()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        for line in _line(node)
    }


def _line(call: ast.Call) -> Iterator[Line]:
    named = isinstance(call.func, ast.Attribute) and isinstance(
        call.func.value, ast.Name
    )
    if not named or call.func.value.id != "log":  # type: ignore[attr-defined]
        return
    words = [a.value for a in call.args if isinstance(a, ast.Constant)]
    extra = [k.value for k in call.keywords if k.arg == "extra"]
    keys = {
        key.value
        for one in extra
        if isinstance(one, ast.Dict)
        for key in one.keys
        if isinstance(key, ast.Constant)
    }
    for word in words:
        yield Line(str(word), frozenset(map(str, keys)))
