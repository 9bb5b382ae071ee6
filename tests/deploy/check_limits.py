"""Checks of figures: deadlines, retries, threads, connections; and of rights."""

import re
from collections.abc import Iterator

from common.settings import Settings
from tests.deploy import code
from tests.deploy.check_services import Program, programs, settings_of
from tests.deploy.rights import EVERYBODY, RIGHTS, VERTEX
from tests.deploy.terraform import Stack
from worker_service.schedules import sweep

# Source: Cloud SQL for PostgreSQL, "Maximum concurrent connections", read 2026-10.
_CONNECTIONS = {
    "db-f1-micro": 25,
    "db-g1-small": 50,
    "db-custom-1-3840": 100,
    "db-custom-2-7680": 400,
    "db-custom-4-15360": 500,
    "db-custom-8-30720": 600,
}
_PEOPLE = 10  # connections kept for them and for the migration
_OUR_RETRIES_SECONDS = 20 * 60  # common/jobs/payloads.py: 8 attempts with their waits
_MOST_ACK_SECONDS = 600  # Pub/Sub allows no more
_HEART = 1  # worker_service/wsgi.py: a connection of its own
_PROBES = 2  # startup and liveness must be answered while all threads work


def _seconds(text: str) -> float:
    assert text.endswith("s"), text
    return float(text[:-1])


def _most(program: Program) -> int:
    return int(program.values["template"][0]["scaling"][0]["max_instance_count"])


def _at_once(program: Program) -> int:
    return int(program.values["template"][0]["max_instance_request_concurrency"])


def _pool(program: Program) -> int:
    default = Settings.model_fields["database_pool_size"].default
    return int(program.plain.get("PEGASUS_DATABASE_POOL_SIZE", default))


def deadlines_fit(stack: Stack) -> Iterator[str]:
    """Who calls the worker waits no longer than it is allowed to work."""
    found = programs(stack)
    timeout = _seconds(found["worker"].values["template"][0]["timeout"])
    dispatch = code.DISPATCH_DEADLINE.total_seconds()
    for name in ("worker", "solo"):
        if _seconds(found[name].values["template"][0]["timeout"]) != dispatch:
            yield f"{name}: its timeout is not the deadline of a dispatch"
    for one in stack.of("google_cloud_scheduler_job"):
        if _seconds(one["attempt_deadline"]) > timeout:
            yield f"schedule {one['name']} waits longer than the worker works"
    for one in stack.of("google_pubsub_subscription"):
        if one["push_config"] and one["ack_deadline_seconds"] != _MOST_ACK_SECONDS:
            yield f"push {one['name']} does not wait as long as it can"
    [sweeps] = [
        one for one in stack.of("google_cloud_scheduler_job") if "sweep" in one["name"]
    ]
    if sweeps["schedule"] != "* * * * *" or sweep.LOST_AFTER_SECONDS <= 60:
        yield "the sweep does not come before a task counts as lost"


def retries_outlive_ours(stack: Stack) -> Iterator[str]:
    """Our own retries end first: the queue's are for a worker that is not there."""
    for one in stack.of("google_cloud_tasks_queue"):
        retry = one["retry_config"][0]
        if int(retry["max_attempts"]) <= code.MOST_ATTEMPTS:
            yield f"queue {one['name']} gives up before we do"
        if _seconds(retry["max_retry_duration"]) <= _OUR_RETRIES_SECONDS:
            yield f"queue {one['name']} gives up sooner than we do"
    for one in stack.of("google_pubsub_subscription"):
        if not one["push_config"]:
            continue
        if not one["dead_letter_policy"]:
            yield f"push {one['name']} keeps poison for ever"
        if one["expiration_policy"][0]["ttl"] != "":
            yield f"push {one['name']} ends when nobody speaks for a month"


def threads_suffice(stack: Stack) -> Iterator[str]:
    """No request waits for a thread, no delivery for an instance."""
    found = programs(stack)
    for name, variable in (
        ("api", "PEGASUS_API_THREADS"),
        ("worker", "PEGASUS_WORKER_THREADS"),
        ("solo", "PEGASUS_WORKER_THREADS"),
    ):
        threads = int(found[name].plain.get(variable, "0"))
        if threads < _at_once(found[name]) + _PROBES:
            yield f"{name}: {threads} threads for {_at_once(found[name])} requests"
    if (_at_once(found["solo"]), _most(found["solo"])) != (1, 1):
        yield "the solo lane does more than one job at once"
    worker = _most(found["worker"]) * _at_once(found["worker"])
    sent = sum(
        int(one["rate_limits"][0]["max_concurrent_dispatches"])
        for one in stack.of("google_cloud_tasks_queue")
        if not one["name"].endswith("-solo")
    )
    if sent >= worker:
        yield f"the queues deliver {sent} at once to {worker} places"


def connections_fit(stack: Stack) -> Iterator[str]:
    """All instances together leave a tenth of the database's connections free."""
    found = programs(stack)
    wanted = (
        _most(found["api"]) * _pool(found["api"])
        + _most(found["worker"]) * (_pool(found["worker"]) + _HEART)
        + 2 * _most(found["solo"]) * (_pool(found["solo"]) + _HEART)  # old and new
        + _PEOPLE
    )
    [database] = stack.of("google_sql_database_instance")
    tier = database["settings"][0]["tier"]
    if wanted > _CONNECTIONS[tier] * 0.9:
        yield f"{wanted} connections may be opened; {tier} has {_CONNECTIONS[tier]}"


def rights_are_exact(stack: Stack, *, api_is_public: bool = False) -> Iterator[str]:
    """Each account has the roles that its code needs, and no other.

    Vertex AI can be asked for just where the worker may speak to it.
    """
    vertex = settings_of(programs(stack)["api"]).vertex
    wanted = {
        (who, what, role) for who, rows in RIGHTS.items() for what, role, _why in rows
    }
    extra = {"worker": VERTEX, "solo": VERTEX} if vertex else {}
    extra |= {"everybody": EVERYBODY} if api_is_public else {}
    wanted |= {(w, what, role) for w, rows in extra.items() for what, role, _ in rows}
    for name, program in programs(stack).items():
        for reference in program.secret.values():
            secret = f"secret {reference['secret']}"
            wanted.add((name, secret, "roles/secretmanager.secretAccessor"))
    given = set(_given(stack))
    for who, what, role in sorted(wanted - given):
        yield f"{who} lacks {role} on {what}"
    for who, what, role in sorted(given - wanted):
        yield f"{who} has {role} on {what}, which nothing needs"


def _given(stack: Stack) -> Iterator[tuple[str, str, str]]:
    for one in stack.resources:
        if re.search(r"_iam_(member|binding|policy)$", one["type"]):
            values = one["values"]
            yield _who(stack, values), _what(stack, one["type"], values), values["role"]


def _who(stack: Stack, values: dict[str, str]) -> str:
    member = values["member"]
    if member in stack.accounts:
        return stack.accounts[member]
    if member == "allUsers":
        return "everybody"
    for sign, who in (
        ("pegasus-builder@", "builder"),
        ("@gcp-sa-pubsub.", "pubsub agent"),
        ("storage-agent", "storage agent"),
    ):
        if sign in member:
            return who
    return member


def _what(stack: Stack, kind: str, values: dict[str, str]) -> str:
    for sign, word, key in (
        ("cloud_run", "service", "name"),
        ("cloud_tasks", "queue", "name"),
        ("pubsub_topic", "topic", "topic"),
        ("pubsub_subscription", "subscription", "subscription"),
        ("storage_bucket", "bucket", "bucket"),
    ):
        if sign in kind:
            return f"{word} {values[key].rpartition('pegasus-')[2]}"
    if "secret" in kind:
        return f"secret {values['secret_id']}"
    if "service_account" in kind:
        return f"account {stack.accounts.get(values['service_account_id'])}"
    return "project" if "project" in kind else kind


def the_provider_is_pinned(stack: Stack) -> Iterator[str]:
    """A provider of another major version changes what is written here."""
    for path in sorted(stack.folder.rglob("versions.tf")):
        where = path.relative_to(stack.folder)
        if not re.search(
            r'^\s*version\s*=\s*"~> \d+\.\d+"', path.read_text(), re.MULTILINE
        ):
            yield f"{where}: any version of the provider will do"
