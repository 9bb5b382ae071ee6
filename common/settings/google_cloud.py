"""What only a deployment on Google Cloud sets."""

import re
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from common.settings.kinds import Positive, Switch, Word, env, problem

QueueKind = Literal["local", "cloud_tasks"]
EventsKind = Literal["log", "pubsub"]
IdentityKind = Literal["secret", "google"]
IpKind = Literal["private", "public", "psc"]

_INSTANCE_NAME = re.compile(r"([^:]+:)?[^:]+:[^:]+:[^:]+")  # example.com:project:...
_CERTS_URL = "https://www.googleapis.com/oauth2/v1/certs"


def _one_of(kinds: object) -> BeforeValidator:
    words = get_args(kinds)
    listed = " or ".join(repr(word) for word in words)

    def check(value: object) -> object:
        if value not in words:
            raise problem(f"must be {listed}.")
        return value

    return BeforeValidator(check)


# Which setting each of these is needed by, and its value.
_NEEDED_BY = {
    "google_cloud_project": (("queue", "cloud_tasks"), ("events", "pubsub")),
    "tasks_location": (("queue", "cloud_tasks"),),
    "events_topic": (("events", "pubsub"),),
    "tasks_service_account": (("identity", "google"), ("queue", "cloud_tasks")),
    "scheduler_service_account": (("identity", "google"),),
    "events_service_account": (("identity", "google"),),
}
_VARIABLE = {
    "queue": "PEGASUS_QUEUE",
    "events": "PEGASUS_EVENTS",
    "identity": "PEGASUS_IDENTITY",
}


class GoogleCloud(BaseSettings):
    """A part of ``Settings``; the kinds come first, as other fields depend on them."""

    queue: Annotated[QueueKind, _one_of(QueueKind)] = env("PEGASUS_QUEUE", "local")
    events: Annotated[EventsKind, _one_of(EventsKind)] = env("PEGASUS_EVENTS", "log")
    identity: Annotated[IdentityKind, _one_of(IdentityKind)] = env(
        "PEGASUS_IDENTITY", "secret"
    )
    google_cloud_project: Word = env("GOOGLE_CLOUD_PROJECT", None)

    # Database: with an instance, DATABASE_URL gives only the user and the database
    cloud_sql_instance: Word = env("PEGASUS_CLOUD_SQL_INSTANCE", None)
    cloud_sql_ip_type: Annotated[IpKind, _one_of(IpKind)] = env(
        "PEGASUS_CLOUD_SQL_IP_TYPE", "private"
    )
    cloud_sql_admin_url: Word = env("PEGASUS_CLOUD_SQL_ADMIN_URL", None)

    # Queue
    tasks_location: Word = env("PEGASUS_TASKS_LOCATION", None)
    tasks_queue_prefix: str = env("PEGASUS_TASKS_QUEUE_PREFIX", "pegasus")
    tasks_endpoint: Word = env("PEGASUS_TASKS_ENDPOINT", None)  # host:port without TLS
    solo_worker_url: Word = env("PEGASUS_SOLO_WORKER_URL", None)

    # Who may call the worker
    tasks_service_account: Word = env("PEGASUS_TASKS_SERVICE_ACCOUNT", None)
    scheduler_service_account: Word = env("PEGASUS_SCHEDULER_SERVICE_ACCOUNT", None)
    events_service_account: Word = env("PEGASUS_EVENTS_SERVICE_ACCOUNT", None)
    oidc_certs_url: str = env("PEGASUS_OIDC_CERTS_URL", _CERTS_URL)
    worker_audience: Word = env("PEGASUS_WORKER_AUDIENCE", None)

    # Events, files, speech, language models
    events_topic: Word = env("PEGASUS_EVENTS_TOPIC", None)
    signing_service_account: Word = env("PEGASUS_SIGNING_SERVICE_ACCOUNT", None)
    signed_url_seconds: Positive = env("PEGASUS_SIGNED_URL_SECONDS", 900)
    max_open_uploads: Positive = env("PEGASUS_MAX_OPEN_UPLOADS", 200)
    max_open_uploads_of_one: Positive = env("PEGASUS_MAX_OPEN_UPLOADS_PER_CLIENT", 20)
    speech_location: str = env("PEGASUS_SPEECH_LOCATION", "global")
    speech_endpoint: Word = env("PEGASUS_SPEECH_ENDPOINT", None)  # host:port, no TLS
    google_cloud_location: str = env("GOOGLE_CLOUD_LOCATION", "global")
    vertex: Switch = env("PEGASUS_VERTEX", True)  # off: our account has no role for it
    gemini_base_url: Word = env("PEGASUS_GEMINI_BASE_URL", None)

    @field_validator("cloud_sql_instance", mode="after")
    @classmethod
    def _instance_is_named_in_full(cls, value: str | None) -> str | None:
        if value is not None and not _INSTANCE_NAME.fullmatch(value):
            raise problem("must be project:region:instance.")
        return value

    @field_validator("scheduler_service_account", "events_service_account")
    @classmethod
    def _callers_are_told_apart(
        cls, value: str | None, info: ValidationInfo
    ) -> str | None:
        """Give each account one role: each route of the worker is for one of them."""
        others = ("tasks_service_account", "scheduler_service_account")
        taken = [info.data.get(name) for name in others if name != info.field_name]
        if value is not None and value in taken:
            raise problem("must not be another caller's account.")
        return value

    @field_validator(*_NEEDED_BY, mode="after")
    @classmethod
    def _what_is_needed_is_there(
        cls, value: str | None, info: ValidationInfo
    ) -> str | None:
        for name, kind in _NEEDED_BY[str(info.field_name)]:
            if value is None and info.data.get(name) == kind:
                raise problem(f"must be set for {_VARIABLE[name]}={kind}.")
        return value
