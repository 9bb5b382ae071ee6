"""scripts/deploy: a build gets traffic once it answers, and loses it if it stops."""

import re

import pytest

from tests.deploy.cloudbuild import STEPS, environment
from tests.deploy.fakes import Machine

ENVIRONMENT = {
    **dict.fromkeys(environment(), ""),
    "PROJECT": "lectures-test",
    "REGION": "europe-west4",
    "REGISTRY": "europe-west4-docker.pkg.dev/lectures-test/pegasus",
    "SERVICES": "pegasus",
    "BUILD": "0d9e-77ff",
    "DEPLOY": "yes",
    "PEGASUS_SMOKE_TRIES": "2",
    "PEGASUS_SMOKE_PAUSE": "0",
}
TAG = "b0d9e77ff"
DIGEST = "sha256:" + "ab" * 32
API = "https://pegasus-api.run.app"
TAGGED = f"https://{TAG}---pegasus-api.run.app"


@pytest.fixture
def machine(tmp_path):
    """A machine from which everything goes well."""
    made = Machine(tmp_path)
    made.bring("deploy")
    image = 'target=${4##*/}; echo "$REGISTRY/${target%%:*}@' + DIGEST + '"'
    made.answer("'docker inspect'*", image)
    before = f"printf '%s\\n' 'now-1 100 - -' 'next-1 - {TAG} {TAGGED}'"
    made.answer("*describe*--flatten*", before)
    made.answer("*describe*status.url*", f"echo {API}")
    made.answer("curl*metadata*", "printf from-metadata")
    made.answer("curl*/health/ready*", 'cat >> "$FAKES/said"; echo ready')
    return made


def ship(machine, *steps, **more):
    """Run steps until one fails; return its result, or the last one's."""
    for step in steps or STEPS:
        done = machine.run("deploy", step, **ENVIRONMENT | more)
        if done.returncode != 0:
            break
    return done


def headers(machine):
    """Return what curl was given by standard input."""
    return (machine.folder / "fakes" / "said").read_text()


def shape(call):
    """Return a call without what is the same in all."""
    short = re.sub(r" --project \S+ --region \S+ --quiet$", "", call)
    return re.sub(r"\S+/(\w+)[@:]\S+", r"\1", short)


def test_the_steps_call_what_they_are_named_for(machine):
    assert ship(machine).returncode == 0
    changing = [shape(c) for c in machine.calls if " describe " not in c]
    flags = f"--no-traffic --tag {TAG}"
    images = ("api", "worker", "migrate")
    assert changing[:3] == [f"docker build --target {t} --tag {t} ." for t in images]
    assert [c for c in changing if c.startswith("docker push")] == [
        f"docker push {t}" for t in images
    ]
    runs = [
        c.removeprefix("gcloud run ") for c in changing if c.startswith("gcloud run")
    ]
    assert runs == [
        "jobs update pegasus-migrate --image migrate",
        "jobs execute pegasus-migrate --wait",
        f"services update pegasus-worker --image worker {flags}",
        f"services update pegasus-solo --image worker {flags}",
        f"services update pegasus-api --image api {flags}",
        *(
            f"services update-traffic pegasus-{s} --to-latest"
            for s in ("worker", "solo", "api")
        ),
        *(
            f"services update-traffic pegasus-{s} --remove-tags {TAG}"
            for s in ("worker", "solo", "api")
        ),
    ]


def test_everything_is_shipped_by_digest(machine):
    assert ship(machine).returncode == 0
    shipped = [c for c in machine.calls if " --image " in c]
    assert len(shipped) == 4
    assert all(DIGEST in call for call in shipped)


def test_the_push_says_what_terraform_asks_for(machine):
    done = ship(machine, "push")
    image = f"{ENVIRONMENT['REGISTRY']}/worker@{DIGEST}"
    assert f'worker_image = "{image}"' in done.stdout.splitlines()


def test_an_image_without_a_digest_is_not_shipped(machine):
    machine.answer("'docker inspect'*", "echo registry/api:latest")
    assert ship(machine).returncode != 0
    assert machine.called("gcloud") == []


def test_the_new_revision_is_asked_before_it_gets_traffic(machine):
    assert ship(machine).returncode == 0
    calls = machine.calls
    [asked] = [i for i, c in enumerate(calls) if f"{TAGGED}/health/ready" in c]
    moved = [i for i, c in enumerate(calls) if "--to-latest" in c]
    assert len(moved) == 3
    assert asked < min(moved)


def test_it_is_asked_with_a_token_for_the_service(machine):
    ship(machine, "smoke")
    [asked] = machine.called("metadata.google")
    assert f"audience={API}" in asked
    assert headers(machine) == "Authorization: Bearer from-metadata"
    assert machine.called("--header @-", TAGGED)


def test_no_token_stands_in_a_command_line(machine):
    assert ship(machine).returncode == 0
    assert "Bearer from-metadata" in headers(machine)
    assert machine.called("from-metadata") == []


def test_elsewhere_gcloud_gives_the_token(machine):
    machine.answer("curl*metadata*", "exit 6")
    machine.answer("*print-identity-token*", "echo of-a-person")
    assert ship(machine, "smoke").returncode == 0
    assert headers(machine) == "Authorization: Bearer of-a-person"
    assert machine.called("--header @-", TAGGED)


def test_a_revision_that_does_not_answer_gets_no_traffic(machine):
    machine.answer(f"curl*{TAGGED}*", "exit 22")
    done = ship(machine)
    assert done.returncode != 0
    assert "after 2 tries" in done.stderr
    assert machine.called("update-traffic") == []


def test_a_build_that_stops_answering_loses_the_traffic(machine):
    machine.answer(f"curl*{API}/health*", "exit 22")
    done = ship(machine)
    assert done.returncode != 0
    assert "back where it was" in done.stderr
    assert [shape(c) for c in machine.called("update-traffic")[-3:]] == [
        f"gcloud run services update-traffic pegasus-{s} --to-revisions now-1=100"
        for s in ("api", "solo", "worker")
    ]


def test_traffic_that_was_split_is_split_again(machine):
    split = "printf '%s\\n' 'a-1 90 - -' 'a-0 10 - -' 'a-2 - old https://old'"
    machine.answer("*describe*--flatten*", split)
    assert ship(machine, "push", "deploy", "rollback").returncode == 0
    assert len(machine.called("--to-revisions a-1=90,a-0=10")) == 3


def test_half_a_move_is_taken_back(machine):
    machine.answer("*update-traffic\\ pegasus-solo\\ --to-latest*", "exit 1")
    assert ship(machine).returncode != 0
    assert machine.called("pegasus-api --to-latest") == []
    assert len(machine.called("--to-revisions now-1=100")) == 3


def test_a_rollback_that_fails_is_not_called_one(machine):
    machine.answer("*pegasus-solo\\ --to-revisions*", "exit 1")
    ship(machine, "push", "deploy")
    done = ship(machine, "rollback")
    assert done.returncode != 0
    assert "Not everything is back" in done.stderr
    assert len(machine.called("--to-revisions")) == 3


def test_what_serves_now_must_be_known_before_anything_changes(machine):
    machine.answer("*describe*--flatten*", "true")
    assert ship(machine, "push", "deploy").returncode != 0
    assert machine.called("services update") == []


def test_a_migration_that_fails_ships_nothing(machine):
    machine.answer("*jobs\\ execute*", "exit 1")
    assert ship(machine).returncode != 0
    assert machine.called("gcloud run services") == []


def test_the_first_build_stops_after_the_push(machine):
    assert ship(machine, DEPLOY="no").returncode == 0
    assert machine.called("docker push")
    assert machine.called("gcloud") + machine.called("curl") == []


def test_behind_a_domain_only_the_domain_is_asked(machine):
    domain = "https://lectures.example.org"
    assert ship(machine, API_URL=domain).returncode == 0
    asked = machine.called("/health/ready")
    assert len(asked) == 1
    assert f"{domain}/health/ready" in asked[0]
    assert machine.called(f"audience={domain}")


@pytest.mark.parametrize("wrong", [(), ("ship",), ("answers",)])
def test_anything_else_shows_how_it_is_used(machine, wrong):
    done = machine.run("deploy", *wrong, **ENVIRONMENT)
    assert done.returncode == 2
    assert done.stderr.startswith("scripts/deploy build|push|")
    assert machine.calls == []


@pytest.mark.parametrize(
    "missing", ["PROJECT", "REGION", "REGISTRY", "SERVICES", "BUILD"]
)
def test_it_does_not_guess_where_to_ship(machine, missing):
    done = machine.run("deploy", "deploy", **ENVIRONMENT | {missing: ""})
    assert done.returncode != 0
    assert missing in done.stderr
    assert machine.calls == []
