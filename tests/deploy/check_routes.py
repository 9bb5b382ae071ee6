"""Checks that what is called exists, and that what exists is called."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from common import errors
from tests.deploy import code
from tests.deploy.check_services import programs
from tests.deploy.terraform import Stack

_MESSAGE = re.compile(r'jsonPayload\.message=(?:"([^"]+)"|\(([^)]+)\))')
_FIELD = re.compile(r"jsonPayload\.(\w+)")
_ERROR = re.compile(r'jsonPayload\.error="([^"]+)"')


def queues_are_those_of_the_code(stack: Stack) -> Iterator[str]:
    """There is a queue for each class of provider, and no other."""
    made = {one["name"] for one in stack.of("google_cloud_tasks_queue")}
    env = programs(stack)["api"].plain
    sent_to = {f"{env['PEGASUS_TASKS_QUEUE_PREFIX']}-{name}" for name in code.QUEUES}
    yield from (f"no queue {name}: tasks are sent to it" for name in sent_to - made)
    yield from (f"queue {name}: nothing is sent to it" for name in made - sent_to)
    for one in stack.of("google_cloud_tasks_queue"):
        if one["location"] != env["PEGASUS_TASKS_LOCATION"]:
            yield f"queue {one['name']} is in {one['location']}"


def topics_are_used(stack: Stack) -> Iterator[str]:
    """Each topic is filled by somebody, and the one that the code names is there."""
    names = {one["name"] for one in stack.of("google_pubsub_topic")}
    ids = {one["id"]: one["name"] for one in stack.of("google_pubsub_topic")}
    told = programs(stack)["worker"].plain.get("PEGASUS_EVENTS_TOPIC")
    filled = {told}
    filled |= {ids.get(n["topic"]) for n in stack.of("google_storage_notification")}
    for one in stack.of("google_pubsub_subscription"):
        for policy in one["dead_letter_policy"] or []:
            filled.add(ids.get(policy["dead_letter_topic"]))
    yield from (f"no topic {name}" for name in filled - names)
    yield from (f"topic {name}: nobody writes to it" for name in names - filled)


def the_bucket_is_the_services_own(stack: Stack) -> Iterator[str]:
    """Files lie where uploads are told of, under the prefix that is listened to."""
    env = programs(stack)["api"].plain
    buckets = {one["name"] for one in stack.of("google_storage_bucket")}
    if env.get("STORAGE_MODE") != "gcs" or env.get("GCS_BUCKET") not in buckets:
        yield f"no bucket {env.get('GCS_BUCKET')}"
    [told] = stack.of("google_storage_notification")
    if told["bucket"] != env.get("GCS_BUCKET"):
        yield "uploads are told of another bucket"
    if told["object_name_prefix"] != f"{env.get('GCS_PREFIX')}/{code.UPLOADS}":
        yield f"uploads are told of under {told['object_name_prefix']}"
    if (told["event_types"], told["payload_format"]) != (
        ["OBJECT_FINALIZE"],
        "JSON_API_V1",
    ):
        yield "worker_service/events/storage.py cannot read what it is told"


def pushes_are_served(stack: Stack) -> Iterator[str]:
    """Each push goes to an event that the worker knows, and each of those has one."""
    env = programs(stack)["worker"].plain
    reached = set()
    for one in stack.of("google_pubsub_subscription"):
        for push in one["push_config"] or []:
            path = urlsplit(push["push_endpoint"]).path
            reached.add(path)
            if push["push_endpoint"] != f"{env['PEGASUS_WORKER_URL']}{path}":
                yield f"push {one['name']} does not go to the worker"
            token = push["oidc_token"][0]
            yield from _token(
                f"push {one['name']}", token, env, "PEGASUS_EVENTS_SERVICE_ACCOUNT"
            )
    served = {f"/events/{name}" for name in code.PUSHED}
    yield from (f"the worker has no {path}" for path in sorted(reached - served))
    yield from (f"nothing is pushed to {path}" for path in sorted(served - reached))


def schedules_are_served(stack: Stack) -> Iterator[str]:
    """The clock calls every schedule of the worker, and nothing else."""
    env = programs(stack)["worker"].plain
    reached = set()
    for one in stack.of("google_cloud_scheduler_job"):
        target = one["http_target"][0]
        path = urlsplit(target["uri"]).path
        reached.add(path)
        if (target["http_method"], target["uri"]) != (
            "POST",
            f"{env['PEGASUS_WORKER_URL']}{path}",
        ):
            yield f"schedule {one['name']} does not go to the worker"
        token = target["oidc_token"][0]
        yield from _token(
            f"schedule {one['name']}", token, env, "PEGASUS_SCHEDULER_SERVICE_ACCOUNT"
        )
    served = code.scheduled()
    yield from (f"the worker has no {path}" for path in sorted(reached - served))
    yield from (f"nobody calls {path}" for path in sorted(served - reached))


def _token(
    who: str, token: Mapping[str, Any], env: Mapping[str, str], variable: str
) -> Iterator[str]:
    if token["service_account_email"] != env[variable]:
        yield f"{who} comes as somebody else than {variable}"
    if token["audience"] != env["PEGASUS_WORKER_AUDIENCE"]:
        yield f"{who} has a token for {token['audience']}"


def counted_lines_are_logged(stack: Stack) -> Iterator[str]:
    """What alerts count is what the code says."""
    lines = code.log_lines()
    for one in stack.of("google_logging_metric"):
        labels = " ".join((one["label_extractors"] or {}).values())
        counted = f"{one['filter']} {one['value_extractor'] or ''} {labels}"
        messages = _messages(one["filter"])
        if not messages:
            yield f"{one['name']} counts everything"
        fields = set(_FIELD.findall(counted)) - {"message"}
        for message in messages:
            said = [line for line in lines if line.message == message]
            if not any(fields <= line.fields for line in said):
                yield f"{one['name']}: nothing logs {message!r} with {sorted(fields)}"
        for word in _ERROR.findall(one["filter"]):
            if word not in _codes(errors.AppError):
                yield f"{one['name']}: there is no error {word!r}"


def _messages(filter_: str) -> list[str]:
    found = []
    for one, several in _MESSAGE.findall(filter_):
        found += [one] if one else re.findall(r'"([^"]+)"', several)
    return found


def _codes(error: type[errors.AppError]) -> set[str]:
    below = [_codes(one) for one in error.__subclasses__()]
    return {error.code}.union(*below)
