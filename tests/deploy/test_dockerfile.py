"""The Dockerfile does what it says, and nothing that nobody asked for."""

import re

import pytest

from tests.deploy.dockerfile import ROOT, TEXT, Target, stages

SHIPPED = ("api", "worker", "migrate")
every_target = pytest.mark.parametrize("name", [*SHIPPED, "all"])
# Each command that is run while an image is built, and why.
RUN = {
    r"scripts/image_install (api|worker|all) /venv": "hashed packages, apart",
    r"groupadd .* && useradd .* pegasus": "somebody who is not root",
    r"python -m compileall -q common": "a read-only image keeps nothing",
}


@every_target
def test_nobody_is_root(name):
    user, group = Target(name).user
    assert min(user, group) >= 10_000


@every_target
def test_commands_are_run_without_a_shell(name):
    assert Target(name).command[0] in ("gunicorn", "python")


@every_target
def test_only_what_is_named_is_copied(name):
    expected = {
        "api": {"common", "api_service"},
        "worker": {"common", "worker_service"},
        "migrate": {"common"},
        "all": {"common", "api_service", "worker_service"},
    }
    assert set(Target(name).folders) == expected[name]


def test_every_command_is_known():
    for stage in stages().values():
        for word, rest in stage.instructions:
            assert word in {
                "ARG",
                "CMD",
                "COPY",
                "ENV",
                "EXPOSE",
                "RUN",
                "USER",
                "WORKDIR",
            }
            if word == "RUN":
                plain = " ".join(rest.split())
                assert any(re.fullmatch(known, plain) for known in RUN), rest


def test_images_are_built_on_named_versions():
    names = set(stages())
    bases = {s.base for s in stages().values()} - names
    assert bases == {"python:${PYTHON}"}
    [version] = re.findall(r"^ARG PYTHON=(\S+)$", TEXT, re.MULTILINE)
    assert re.fullmatch(r"3\.11-slim-\w+", version)


def test_the_context_holds_what_is_copied_and_nothing_else():
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = {
        rest.split()[0]
        for stage in stages().values()
        for word, rest in stage.instructions
        if word == "COPY" and "--from" not in rest
    }
    assert set(let_in) == copied
    assert all((ROOT / path).exists() for path in let_in)


def test_the_targets_are_those_that_are_shipped():
    deploy = (ROOT / "scripts" / "deploy").read_text()
    [targets] = re.findall(r"^targets=\((.+)\)$", deploy, re.MULTILINE)
    assert tuple(targets.split()) == SHIPPED


def test_packages_are_checked_by_their_hashes():
    script = (ROOT / "scripts" / "image_install").read_text()
    assert "--require-hashes" in script
    assert "--only-binary :all:" in script
    for name in ("api", "worker", "all"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert text.count("==") <= text.count("--hash=sha256:")
