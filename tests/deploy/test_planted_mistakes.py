"""Mistakes, each made in a copy of terraform/, each caught by its own check."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from tests.deploy.terraform import SOURCE, Refused, build, variables
from tests.deploy.test_terraform_plan import CHECKS

TERRAFORM = "terraform"  # Terraform itself refuses


@dataclass(frozen=True)
class Mistake:
    """In ``file`` somebody wrote ``wrong`` for ``right``; ``check`` says so."""

    file: str
    right: str
    wrong: str
    check: str
    says: str


MISTAKES = {
    "a misspelt argument": Mistake(
        "worker.tf",
        "  timeout_seconds = 1800 #",
        "  timeout_secs = 1800 #",
        TERRAFORM,
        'An argument named "timeout_secs" is not expected here',
    ),
    "a misspelt argument of a resource": Mistake(
        "queue.tf",
        "max_attempts       =",
        "max_attempt        =",
        TERRAFORM,
        'An argument named "max_attempt" is not expected here',
    ),
    "a missing IAM binding": Mistake(
        "events.tf",
        ", worker = module.worker.member }",
        " }",
        "rights_are_exact",
        "worker lacks roles/pubsub.publisher on topic events",
    ),
    "a wrong push path": Mistake(
        "events.tf",
        'path = "/events/storage"',
        'path = "/events/upload"',
        "pushes_are_served",
        "the worker has no /events/upload",
    ),
    "a public invoker": Mistake(
        "worker.tf",
        "_worker_callers = [",
        '_worker_callers = [ "allUsers",',
        "nothing_is_public",
        "lets in allUsers",
    ),
    "a plain secret": Mistake(
        "api.tf",
        "    DATABASE_URL ",
        '    PLC_WRITE_API_TOKEN = "letmein"\n    DATABASE_URL ',
        "secrets_are_references",
        "api: PLC_WRITE_API_TOKEN is a plain value",
    ),
    "a promise that is not the runbook's": Mistake(
        "monitoring.tf",
        "goal                = 0.95",
        "goal                = 0.9",
        "promises_are_those_of_the_runbook",
        "in-time: 90.0 %, promised are 95.0 %",
    ),
    "answers of the worker counted as the API's": Mistake(
        "monitoring.tf",
        '      total_service_filter = "${local._api} ',
        '      total_service_filter = "${local._services} ',
        "answers_are_those_of_the_api",
        "not only the API's answers are counted",
    ),
    "runs counted for jobs": Mistake(
        "monitoring.tf",
        '_ends = "jsonPayload.message=\\"job.updated\\"',
        '_ends = "jsonPayload.message=\\"job.run.start\\"',
        "jobs_are_counted_by_type_at_their_end",
        'does not ask for jsonPayload.message="job.updated"',
    ),
    "word of every file to the worker": Mistake(
        "storage.tf",
        'object_prefix}/uploads/"',
        'object_prefix}/"',
        "the_bucket_is_the_services_own",
        "uploads are told of under pegasus/",
    ),
    "Vertex AI without its role": Mistake(
        "worker.tf",
        '"roles/aiplatform.user" = local.vertex_is_allowed',
        '"roles/aiplatform.user" = !local.vertex_is_allowed',
        "rights_are_exact",
        "worker has roles/aiplatform.user on project, which nothing needs",
    ),
    "an unset variable": Mistake(
        "locals.tf",
        "    PEGASUS_TASKS_LOCATION         = var.region\n",
        "",
        "settings_are_complete",
        "must be set for PEGASUS_QUEUE=cloud_tasks",
    ),
    "a wrong queue name": Mistake(
        "queue.tf",
        "speech = 0.5",
        "speach = 0.5",
        "queues_are_those_of_the_code",
        "no queue pegasus-speech: tasks are sent to it",
    ),
    "a pool larger than the tier allows": Mistake(
        "worker.tf",
        "tostring(var.worker_pool_size - 1)",
        "tostring(20)",
        "connections_fit",
        "connections may be opened; db-custom-1-3840 has 100",
    ),
    "a pool larger than the tier allows, by variable": Mistake(
        "envs/prod.tfvars",
        "environment ",
        "worker_pool_size = 20\nenvironment ",
        TERRAFORM,
        "more than nine tenths of what db-custom-1-3840 allows",
    ),
    "a missing dead-letter permission": Mistake(
        "events.tf",
        '"dead_letters_out" {\n  for_each = google_pubsub_subscription.push',
        '"dead_letters_out" {\n  for_each = {}',
        "rights_are_exact",
        "pubsub agent lacks roles/pubsub.subscriber on subscription storage-push",
    ),
    "a tag instead of a digest": Mistake(
        "modules/service/main.tf",
        "image = var.image",
        'image = "registry/worker:latest"',
        "images_are_digests",
        "worker: the image registry/worker:latest is not by digest",
    ),
    "an unpinned provider": Mistake(
        "versions.tf",
        'version = "~> 8.7"',
        'version = ">= 8.7"',
        "the_provider_is_pinned",
        "versions.tf: any version of the provider will do",
    ),
    "a scheduler path that no route serves": Mistake(
        "schedule.tf",
        "    retention = { cron",
        "    retain = { cron",
        "schedules_are_served",
        "the worker has no /schedules/retain",
    ),
}


def plant(mistake, folder):
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(".terraform*"))
    path = folder / mistake.file
    text = path.read_text()
    assert text.count(mistake.right) == 1, f"{mistake.file} has changed"
    path.write_text(text.replace(mistake.right, mistake.wrong))
    return folder


def planted(provider, mistake, folder):
    """Return what Terraform makes of a copy with the mistake, or what it says."""
    source = plant(mistake, folder / "source")
    try:
        given = variables("prod", source=source)
        return build(provider, folder / "built", given, source)
    except Refused as exc:
        return exc


def findings(stack):
    """Return what each check says of the copy; of checks that say something."""
    if isinstance(stack, Refused):
        return {TERRAFORM: [str(stack)]}
    found = {}
    for name, check in CHECKS.items():
        try:
            said = list(check(stack))
        except (KeyError, ValueError) as exc:  # it relies on what another check checks
            said = [f"{type(exc).__name__}: {exc}"]
        if said:
            found[name] = said
    return found


@pytest.fixture(scope="module")
def caught(provider, tmp_path_factory):
    """What is said of each copy; Terraform plans them two at a time.

    The checks are done one by one: they replace the environment of this process.
    """
    with ThreadPoolExecutor(2) as pool:
        folders = [tmp_path_factory.mktemp("m") for _ in MISTAKES]
        stacks = pool.map(partial(planted, provider), MISTAKES.values(), folders)
        return {
            name: findings(stack) for name, stack in zip(MISTAKES, stacks, strict=True)
        }


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_caught_by_the_check_that_is_for_it(caught, name):
    mistake = MISTAKES[name]
    said = " ".join(" ".join(caught[name].get(mistake.check, [])).split())
    assert mistake.says in said, caught[name]


def test_without_a_mistake_nothing_is_said(provider, tmp_path):
    none = Mistake("api.tf", 'module "api" {', 'module "api" {', "", "")
    assert findings(planted(provider, none, tmp_path)) == {}
