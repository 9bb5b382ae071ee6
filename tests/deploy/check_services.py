"""Checks of what the services and the job are: variables, secrets, images, doors."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from pydantic import ValidationError

from common.settings import Settings
from tests.deploy import code
from tests.deploy.terraform import NUMBER, Stack

_PACKAGES = {
    "api": ("api_service", "common"),
    "worker": ("worker_service", "common"),
    "solo": ("worker_service", "common"),
    "migrate": ("common",),
}
_EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
# Of a machine under a desk; no process in the cloud asks for it.
_LOCAL_ONLY = {"PEGASUS_QUEUE_URL"}


@dataclass(frozen=True)
class Program:
    """One service or job: its name, its container, and the rest of it."""

    name: str
    container: Mapping[str, Any]
    values: Mapping[str, Any]

    @property
    def plain(self) -> dict[str, str]:
        """Variables whose values stand in the description."""
        return {e["name"]: e["value"] for e in self.container["env"] if not _source(e)}

    @property
    def secret(self) -> dict[str, Mapping[str, Any]]:
        """Variables that come from Secret Manager: secret and version."""
        return {e["name"]: _source(e) for e in self.container["env"] if _source(e)}


def _source(env: Mapping[str, Any]) -> Mapping[str, Any]:
    for source in env["value_source"] or []:
        reference: Mapping[str, Any] = source["secret_key_ref"][0]
        return reference
    return {}


def programs(stack: Stack) -> dict[str, Program]:
    """Return the three services and the job."""
    found = {}
    for values in stack.of("google_cloud_run_v2_service"):
        name = values["name"].removeprefix("pegasus-")
        found[name] = Program(name, values["template"][0]["containers"][0], values)
    for values in stack.of("google_cloud_run_v2_job"):
        name = values["name"].removeprefix("pegasus-")
        container = values["template"][0]["template"][0]["containers"][0]
        found[name] = Program(name, container, values)
    return found


def settings_of(program: Program) -> Settings:
    """Return what the program reads when it starts there.

    Raises:
        ValidationError: it would not start.
    """
    secrets = dict.fromkeys(program.secret, "0123456789abcdefghijklmnopqrstuv")
    with mock.patch.dict(os.environ, {**program.plain, **secrets}, clear=True):
        return Settings()


def settings_are_complete(stack: Stack) -> Iterator[str]:
    """Every program finds all that it needs to start."""
    for name, program in programs(stack).items():
        try:
            loaded = settings_of(program)
        except ValidationError as exc:
            for error in exc.errors():
                yield f"{name} does not start: {error['loc'][0]} {error['msg']}"
            continue
        if name != "migrate":
            yield from _points_home(name, loaded)


def _points_home(name: str, loaded: Settings) -> Iterator[str]:
    for variable, value in _by_variable(loaded).items():
        if "127.0.0.1" in str(value) and variable not in _LOCAL_ONLY:
            yield f"{name}: {variable} is that of a laptop"


def _by_variable(loaded: Settings) -> dict[str, Any]:
    fields = type(loaded).model_fields
    return {str(f.validation_alias): getattr(loaded, n) for n, f in fields.items()}


def same_everywhere(stack: Stack) -> Iterator[str]:
    """What the services tell each other, all are told alike."""
    own = {"DATABASE_URL", "PEGASUS_DATABASE_POOL_SIZE", "PEGASUS_WORKER_THREADS"}
    found = programs(stack)
    worker, solo = found["worker"].plain, found["solo"].plain
    for variable in sorted((worker.keys() | solo.keys()) - own):
        if worker.get(variable) != solo.get(variable):
            yield f"solo's {variable} is not the worker's"
    for variable in sorted(worker.keys() - own):
        if found["api"].plain.get(variable) != worker[variable]:
            yield f"api's {variable} is not the worker's"


def variables_are_read(stack: Stack) -> Iterator[str]:
    """Nothing is set that no code reads."""
    for name, program in programs(stack).items():
        known = code.known_variables(*_PACKAGES[name])
        for variable in sorted({*program.plain, *program.secret} - known):
            yield f"{name}: nobody reads {variable}"


def secrets_are_references(stack: Stack) -> Iterator[str]:
    """No secret stands in a description of a service, where many can read it."""
    for name, program in programs(stack).items():
        for variable, value in program.plain.items():
            if _shows(variable, value):
                yield f"{name}: {variable} is a plain value"
        for variable, reference in program.secret.items():
            if not code.is_secret(variable):
                yield f"{name}: {variable} is no secret to the settings"
            if not re.fullmatch(r"[1-9]\d*", reference["version"]):
                yield f"{name}: {variable} is of version {reference['version']}"


def _shows(variable: str, value: str) -> bool:
    if variable == "DATABASE_URL":  # user and database only: the login is by IAM
        return urlsplit(value).password is not None
    return code.is_secret(variable)


def images_are_digests(stack: Stack) -> Iterator[str]:
    """Each program is exactly one image."""
    for name, program in programs(stack).items():
        image = program.container["image"]
        if not re.search(r"@sha256:[0-9a-f]{64}$", image):
            yield f"{name}: the image {image} is not by digest"


def nothing_is_public(stack: Stack, *, api_is_public: bool = False) -> Iterator[str]:
    """Only the API can be opened to all, and only when that is asked for."""
    opened = {"pegasus-api"} if api_is_public else set()
    for one in stack.resources:
        values = one["values"]
        if values.get("member") in _EVERYBODY and values.get("name") not in opened:
            yield f"{one['address']} lets in {values['member']}"
    for name, program in programs(stack).items():
        if program.values.get("invoker_iam_disabled"):
            yield f"{name}: asks nobody who they are"
        ingress = program.values.get("ingress")
        if name in ("worker", "solo") and ingress != "INGRESS_TRAFFIC_INTERNAL_ONLY":
            yield f"{name}: can be reached from outside"
    yield from _open_stores(stack)


def _open_stores(stack: Stack) -> Iterator[str]:
    for bucket in stack.of("google_storage_bucket"):
        closed = bucket["public_access_prevention"] == "enforced"
        if not (closed and bucket["uniform_bucket_level_access"]):
            yield f"bucket {bucket['name']} can be opened"
    for database in stack.of("google_sql_database_instance"):
        if database["settings"][0]["ip_configuration"][0]["ipv4_enabled"]:
            yield f"database {database['name']} has a public address"


def addresses_are_right(stack: Stack) -> Iterator[str]:
    """The services are where the others look for them."""
    names = {p.values["name"]: p for p in programs(stack).values()}
    for name, program in programs(stack).items():
        if name == "migrate":
            continue
        wanted = {"PEGASUS_WORKER_URL": "worker", "PEGASUS_SOLO_WORKER_URL": "solo"}
        for variable, service in wanted.items():
            url = f"https://pegasus-{service}-{NUMBER}.europe-west4.run.app"
            if program.plain.get(variable) != url or f"pegasus-{service}" not in names:
                yield f"{name}: {variable} is not where {service} is"
        audience = program.plain.get("PEGASUS_WORKER_AUDIENCE")
        for service in wanted.values():
            if audience not in (names[f"pegasus-{service}"].values["custom_audiences"]):
                yield f"{service} does not take tokens for {audience}"
