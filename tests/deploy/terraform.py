"""terraform/ applied to nothing: Terraform itself, a provider that makes answers up.

Every value of every resource is known then, as after an apply, and no cloud is asked.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "terraform"
NUMBER = "123456789012"
_SKIPPED = 77  # what scripts/check_terraform ends with where there is no provider
_DIGEST = "sha256:" + "0" * 64
_REGISTRY = "europe-west4-docker.pkg.dev/lectures-test/pegasus"

# What the code looks into; all else is made up by Terraform, differently each time.
_MOCKS = f"""
mock_provider "google" {{
  mock_data "google_project" {{
    defaults = {{ number = "{NUMBER}" }}
  }}
  mock_data "google_storage_project_service_account" {{
    defaults = {{ email_address = "storage-agent" }}
  }}
  mock_resource "google_sql_database_instance" {{
    defaults = {{ connection_name = "lectures-test:europe-west4:pegasus" }}
  }}
}}
"""
_REQUIRED = {
    "project_id": '"lectures-test"',
    **{
        f"{target}_image": f'"{_REGISTRY}/{target}@{_DIGEST}"'
        for target in ("api", "worker", "migrate")
    },
}


class Refused(Exception):
    """Terraform would not have it; the text is all that it said."""


class Provider:
    """What scripts/check_terraform gives to a command that needs the provider."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["scripts/check_terraform", "with", "sh", "-c", "env; echo; exec cat"],  # noqa: S607
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.environment = {**os.environ, "TF_IN_AUTOMATION": "1"}
        for line in iter(self._process.stdout.readline, "\n"):
            if not line:
                self._refuse()
            name, _, value = line.rstrip("\n").partition("=")
            if name.startswith("TF_"):
                self.environment[name] = value
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _refuse(self) -> None:
        status = self._process.wait()
        if status == _SKIPPED:
            pytest.skip("Terraform's provider cannot be had")
        pytest.fail(f"scripts/check_terraform ended with {status}")


@dataclass(frozen=True)
class Stack:
    """Everything that Terraform would have made of one folder with some variables."""

    folder: Path
    resources: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the values of all resources of a type."""
        return [one["values"] for one in self.resources if one["type"] == kind]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """Return the values of the resource of this type and name in the cloud."""
        [found] = [v for v in self.of(kind) if v["name"] == name]
        return found

    @cached_property
    def accounts(self) -> dict[str, str]:
        """Names of our service accounts, by whatever they are referred to."""
        found = {}
        for values in self.of("google_service_account"):
            label = values["account_id"].removeprefix("pegasus-")
            for key in ("email", "member", "name", "id"):
                found[values[key]] = label
            found[f"serviceAccount:{values['email']}"] = label
        return found


def variables(
    environment: str, more: Mapping[str, str] | None = None, *, source: Path = SOURCE
) -> dict[str, str]:
    """Return what ``envs/`` says and what must be given; values are written in HCL."""
    text = (source / "envs" / f"{environment}.tfvars").read_text()
    given = dict(re.findall(r"^(\w+)\s*=\s*(.+?)\s*(?:#.*)?$", text, re.MULTILINE))
    return _REQUIRED | given | dict(more or {})


def build(
    provider: Provider, folder: Path, given: Mapping[str, str], source: Path = SOURCE
) -> Stack:
    """Apply a copy of ``source`` made in ``folder``.

    Raises:
        Refused: with what Terraform says.
    """
    shutil.copytree(
        source,
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".terraform*", "tests", "*.tfstate*"),
    )
    body = "".join(f"  {name} = {value}\n" for name, value in given.items())
    tests = folder / "tests"
    tests.mkdir()
    test = f'{_MOCKS}\nvariables {{\n{body}}}\n\nrun "all" {{}}\n'
    (tests / "all.tftest.hcl").write_text(test)
    _terraform(provider, folder, "init", "-backend=false", "-input=false", "-no-color")
    said = _terraform(provider, folder, "test", "-json", "-verbose")
    return Stack(folder, list(_resources(_state(said)["root_module"])))


def _terraform(provider: Provider, folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["terraform", *arguments],  # noqa: S607 - wherever it is
        cwd=folder,
        env=provider.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Refused(_diagnostics(done.stdout) + done.stderr)
    return done.stdout


def _messages(said: str) -> Iterator[dict[str, Any]]:
    for line in said.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _diagnostics(said: str) -> str:
    found = [m["diagnostic"] for m in _messages(said) if m["type"] == "diagnostic"]
    return "\n".join(f"{d['summary']}: {d.get('detail', '')}" for d in found)


def _state(said: str) -> dict[str, Any]:
    state: dict[str, Any]
    [state] = [m["test_state"] for m in _messages(said) if m["type"] == "test_state"]
    return state


def _resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)
