"""Files for other platforms, held against the settings, commands and routes we have."""

import os
import re
import shutil
import subprocess
import tomllib
from unittest import mock

import pytest
import yaml

from common.settings import Settings
from tests.deploy import code
from tests.deploy.commands import ROOT, last_stage, problem
from tests.deploy.dockerfile import stages

FOLDER = ROOT / "platforms"
DOCS = (ROOT / "docs" / "other-platforms.md").read_text()
RENDER = yaml.safe_load((FOLDER / "render.yaml").read_text())
FLY = tomllib.loads((FOLDER / "fly.toml").read_text())
RAILWAY = tomllib.loads((FOLDER / "railway.toml").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name for name, one in COMPOSE["services"].items() if "build" in one}
# What an operator or the platform fills in; long enough to be any of them.
FILLED_IN = "x" * 44
URL = "postgresql://pegasus:secret@database/pegasus"
KNOWN = code.known_variables() | {"AWS_REGION"}


def render_environment(service):
    found: dict[str, str] = {}
    for entry in service["envVars"]:
        if "fromGroup" in entry:
            [group] = [
                g for g in RENDER["envVarGroups"] if g["name"] == entry["fromGroup"]
            ]
            found |= {e["key"]: e.get("value", FILLED_IN) for e in group["envVars"]}
        else:
            filled = URL if "fromDatabase" in entry else FILLED_IN
            found[entry["key"]] = entry.get("value", filled)
    return found


def fly_environment():
    asked = re.search(r"fly secrets set (.+?)\nfly deploy", DOCS, re.DOTALL)
    assert asked
    names = re.findall(r"([A-Z][A-Z0-9_]+)=", asked[1])
    return FLY["env"] | dict.fromkeys(names, FILLED_IN) | {"DATABASE_URL": URL}


def railway_environment():
    section = DOCS.partition("## Railway")[2]
    plain = dict(re.findall(r"`([A-Z_]+)=([^`]+)`", section))
    asked = re.findall(r"`([A-Z][A-Z0-9_]+)`", section)
    return dict.fromkeys(asked, FILLED_IN) | plain | {"DATABASE_URL": URL}


def compose_environment(name):
    def fill(value):
        return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))

    return {k: fill(v) for k, v in COMPOSE["services"][name]["environment"].items()}


ENVIRONMENTS = {
    **{f"render {s['name']}": render_environment(s) for s in RENDER["services"]},
    "fly": fly_environment(),
    "railway": railway_environment(),
    **{f"compose {name}": compose_environment(name) for name in sorted(OURS)},
}
COMMANDS = [
    *(s["dockerCommand"] for s in RENDER["services"]),
    *(s["preDeployCommand"] for s in RENDER["services"] if "preDeployCommand" in s),
    *FLY["processes"].values(),
    FLY["deploy"]["release_command"],
    RAILWAY["deploy"]["startCommand"],
    *RAILWAY["deploy"]["preDeployCommand"],
    *re.findall(r"`((?:gunicorn|python -m) [^`]+)`", DOCS),
    *(" ".join(COMPOSE["services"][n].get("command", [])) for n in sorted(OURS)),
]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_variable_is_read_by_somebody(name):
    assert ENVIRONMENTS[name].keys() - KNOWN == set()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_services_start_with_what_they_get(name):
    if "queue" in name and "DATABASE_URL" not in ENVIRONMENTS[name]:
        needed = {"PEGASUS_INTERNAL_SECRET", "PEGASUS_QUEUE_URL", "PEGASUS_WORKER_URL"}
        assert needed <= ENVIRONMENTS[name].keys()
        return
    with mock.patch.dict(os.environ, ENVIRONMENTS[name], clear=True):
        loaded = Settings()
    assert loaded.storage_mode in ("s3", "gcs")
    assert "127.0.0.1" not in loaded.queue_url + loaded.worker_url


@pytest.mark.parametrize("command", sorted(set(filter(None, COMMANDS))))
def test_every_command_starts_something(command):
    assert problem(command) is None


def test_a_command_that_starts_nothing_is_found_out():
    assert problem("python -m common.migration")
    assert problem("gunicorn --config python:api_service.gunicorn api_service.wsgi:app")
    assert problem("flask run")


def test_health_is_asked_where_it_is_answered(api):
    paths = [s["healthCheckPath"] for s in RENDER["services"] if s["type"] == "web"]
    paths += [check["path"] for check in FLY["http_service"]["checks"]]
    paths += [RAILWAY["deploy"]["healthcheckPath"]]
    tests = [
        s.get("healthcheck", {}).get("test", []) for s in COMPOSE["services"].values()
    ]
    paths += re.findall(r"http://[\d.:]+(/\w+)'", str(tests))
    assert len(paths) == 5
    assert {api.get(path).status_code for path in paths} == {200}


def test_they_build_what_holds_both_services():
    assert FLY["build"]["build-target"] == last_stage() == "all"
    for folder, path in (
        (FOLDER, FLY["build"]["dockerfile"]),
        (ROOT, RAILWAY["build"]["dockerfilePath"]),
        *((ROOT, s["dockerfilePath"]) for s in RENDER["services"]),
    ):
        assert (folder / path).resolve() == ROOT / "Dockerfile"
    targets = {COMPOSE["services"][name]["build"]["target"] for name in OURS}
    assert targets <= stages().keys()


def test_only_the_api_can_be_reached_from_outside():
    public = {s["name"] for s in RENDER["services"] if s["type"] == "web"}
    assert public == {"pegasus-api"}
    assert RENDER["databases"][0]["ipAllowList"] == []
    assert FLY["http_service"]["processes"] == ["api"]
    published = {n: s["ports"] for n, s in COMPOSE["services"].items() if "ports" in s}
    assert set(published) == {"api"}
    assert all(port.startswith("127.0.0.1:") for port in published["api"])


def test_no_secret_is_written_down():
    for name, given in ENVIRONMENTS.items():
        if name.startswith("compose"):
            continue  # its are for one machine, and say so
        for variable, value in given.items():
            assert not code.is_secret(variable) or value in (FILLED_IN, URL), variable


def test_compose_says_who_cannot_reach_its_storage():
    text = (ROOT / "docker-compose.yml").read_text()
    [address] = re.findall(r"^# .*(http://storage:\d+)", text, re.MULTILINE)
    assert address in COMPOSE["services"]["storage"]["command"]
    assert "ports" not in COMPOSE["services"]["storage"]


def test_compose_waits_for_what_exists():
    services = COMPOSE["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], other


def test_compose_names_versions_and_volumes():
    for name, service in COMPOSE["services"].items():
        if name not in OURS:
            assert re.search(r":.*\d", service["image"]), service["image"]
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in COMPOSE["volumes"]


def test_compose_gives_containers_no_more_than_they_need():
    for name in OURS:
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_docker_compose_can_read_it():
    command = compose()
    if command is None:
        absent = "Docker Compose is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    done = said([*command, "config", "--quiet"])
    assert done.returncode == 0, done.stderr


def compose():
    """Return how this machine calls Compose; None if it has none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and said([*command, "version"]).returncode == 0:
            return command
    return None


def said(command):
    return subprocess.run(  # noqa: S603 - a program of the machine
        command, cwd=ROOT, capture_output=True, check=False, text=True
    )
