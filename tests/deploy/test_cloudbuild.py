"""cloudbuild.yaml runs our scripts, in the order in which they are safe."""

import re
import subprocess

import pytest

from tests.deploy.cloudbuild import BUILD, ROOT, STEPS, environment
from tests.deploy.fakes import Machine

DEPLOY = (ROOT / "scripts" / "deploy").read_text()


def test_the_order_is_the_safe_one():
    ids = [step["id"] for step in BUILD["steps"]]
    assert ids[0] == "check"
    assert ids[1:] == STEPS
    assert STEPS == ["build", "push", "migrate", "deploy", "smoke", "traffic"]


def test_a_check_names_what_it_skips_before_it_begins():
    done = subprocess.run(  # noqa: S603 - our own script
        ["/bin/bash", ROOT / "scripts" / "absent"],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    named = set(re.findall(r"there is no (\w+): ", done.stderr))
    brought = re.findall(r"command -v (\S+)", (ROOT / ".ci" / "run").read_text())
    assert named >= {"terraform", "docker", "java"}
    assert named >= set(brought) - {"google-chrome", "docker-compose", "gcloud", "java"}
    check = (ROOT / "scripts" / "check").read_text()
    assert check.index("scripts/absent") < check.index("step ")


def test_steps_hold_no_logic_of_their_own():
    for step in BUILD["steps"]:
        assert step["entrypoint"] == "bash"
        assert set(step) == {"id", "name", "entrypoint", "args"}
        assert (ROOT / step["args"][0]).is_file()


def test_every_variable_of_the_script_is_given():
    needed = set(re.findall(r"\$\{([A-Z_]+):[?-]", DEPLOY))
    tuning = {name for name in needed if name.startswith("PEGASUS_SMOKE")}
    assert needed - tuning == set(environment())


def test_every_substitution_is_declared_and_used():
    used = set(re.findall(r"\$(_[A-Z_]+)", " ".join(environment().values())))
    assert used == set(BUILD["substitutions"])


def test_it_builds_as_the_account_that_terraform_lets_ship():
    account = BUILD["serviceAccount"].rpartition("/")[2].partition("@")[0]
    assert (
        f'"serviceAccount:{account}@' in (ROOT / "terraform" / "build.tf").read_text()
    )
    assert f"builder={account}@" in (ROOT / "scripts" / "setup-gcp.sh").read_text()


@pytest.fixture
def machine(tmp_path):
    """A project in which what was made is there."""
    made = Machine(tmp_path)
    made.bring("setup-gcp.sh")
    key = 'key=$(printf "%s" "$*" | grep -oE "(gs://|pegasus-builder)[^ @]*" | head -1)'
    made.answer("*describe*", f'{key}; [ -e "$FAKES/${{key//\\//_}}" ]')
    made.answer("*\\ create\\ *", f'{key}; touch "$FAKES/${{key//\\//_}}"')
    return made


def commands(done):
    return re.findall(r"^  (gcloud .+)$", done.stdout, re.MULTILINE)


def test_a_project_is_prepared(machine):
    done = machine.run("setup-gcp.sh", "lectures-test", "europe-west1")
    assert done.returncode == 0, done.stderr
    assert len(machine.called("storage buckets create", "europe-west1")) == 2
    assert len(machine.called("service-accounts create pegasus-builder")) == 1
    assert machine.called("services enable", "cloudresourcemanager.googleapis.com")
    assert machine.called("gs://lectures-test-pegasus-terraform --versioning")
    assert "-backend-config=bucket=lectures-test-pegasus-terraform" in done.stdout


def test_the_preparation_names_the_step_that_comes_next(machine):
    done = machine.run("setup-gcp.sh", "--dry-run", "lectures-test")
    [named] = re.findall(r"docs/deploy\.md, step (\d)", done.stdout)
    book = (ROOT / "docs" / "deploy.md").read_text()
    [own] = re.findall(r"^## (\d)\.[^#]*scripts/setup-gcp\.sh", book, re.MULTILINE)
    assert int(named) == int(own) + 1


def test_the_second_time_nothing_is_made(machine):
    machine.run("setup-gcp.sh", "lectures-test")
    machine.forget()
    done = machine.run("setup-gcp.sh", "lectures-test")
    assert done.returncode == 0, done.stderr
    assert machine.called("buckets create") + machine.called("accounts create") == []
    assert done.stdout.count(" is there.") == 3


def test_a_dry_run_calls_nothing_and_says_everything(machine):
    dry = machine.run("setup-gcp.sh", "--dry-run", "lectures-test")
    assert dry.returncode == 0
    assert machine.calls == []
    real = machine.run("setup-gcp.sh", "lectures-test")
    assert commands(dry) == commands(real)
    assert len(commands(dry)) >= 10


def test_it_stops_at_the_first_refusal(machine):
    machine.answer("*services\\ enable*", "exit 1")
    assert machine.run("setup-gcp.sh", "lectures-test").returncode != 0
    assert len(machine.calls) == 1


def test_the_builder_gets_no_more_than_it_needs(machine):
    machine.run("setup-gcp.sh", "lectures-test")
    given = [
        (call.split()[1], re.findall(r"--role (\S+)", call)[0])
        for call in machine.called("add-iam-policy-binding")
    ]
    assert sorted(given) == [
        ("iam", "roles/iam.serviceAccountOpenIdTokenCreator"),  # on itself
        ("projects", "roles/artifactregistry.writer"),
        ("projects", "roles/logging.logWriter"),
        ("projects", "roles/run.developer"),
        ("storage", "roles/storage.objectViewer"),  # on the bucket of sources
    ]


@pytest.mark.parametrize("wrong", [(), ("a", "b", "c"), ("--dry-run",)])
def test_anything_else_shows_how_it_is_used(machine, wrong):
    done = machine.run("setup-gcp.sh", *wrong)
    assert done.returncode == 2
    assert "Usage: scripts/setup-gcp.sh [--dry-run] PROJECT" in done.stderr
    assert machine.calls == []
