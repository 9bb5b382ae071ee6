"""Who may do what, and why: the whole list. Anything beside it is a mistake.

A row reads: on what, which role, what in the code needs it.
"""

Row = tuple[str, str, str]

_LINE = "the connector asks the Admin API for the way and a certificate"
_LOGIN = "it logs in to PostgreSQL as itself"
_FILES = "it reads, writes and deletes recordings and results"
_OUTBOX = "whoever drains the outbox sends tasks of every kind"
_ACTS = "tasks carry the token of another account"
_SPEAKS = "it may be asked for Google's speech recognition"
_TELLS = "it drains the outbox of events"

_DATABASE = [
    ("project", "roles/cloudsql.client", _LINE),
    ("project", "roles/cloudsql.instanceUser", _LOGIN),
]
_SENDS = [
    *(
        (f"queue {name}", "roles/cloudtasks.enqueuer", _OUTBOX)
        for name in ("llm", "media", "solo", "speech")
    ),
    ("account tasks", "roles/iam.serviceAccountUser", _ACTS),
]
_MEDIA = [("bucket media", "roles/storage.objectUser", _FILES)]
_WORKS = [
    *_DATABASE,
    *_SENDS,
    *_MEDIA,
    ("topic events", "roles/pubsub.publisher", _TELLS),
    ("project", "roles/speech.client", _SPEAKS),
]

RIGHTS: dict[str, list[Row]] = {
    "api": [
        *_DATABASE,
        *_SENDS,
        *_MEDIA,
        ("queue solo", "roles/cloudtasks.viewer", "readiness asks for this queue"),
        ("account api", "roles/iam.serviceAccountTokenCreator", "it signs URLs"),
    ],
    "worker": _WORKS,
    "solo": _WORKS,
    "migrate": _DATABASE,
    "tasks": [
        ("service worker", "roles/run.invoker", "it delivers tasks"),
        ("service solo", "roles/run.invoker", "and those of the solo lane"),
    ],
    "events": [("service worker", "roles/run.invoker", "it pushes messages")],
    "scheduler": [("service worker", "roles/run.invoker", "it rings the clock")],
    "builder": [
        ("service api", "roles/run.invoker", "scripts/deploy asks /health/ready"),
        *(
            (f"account {name}", "roles/iam.serviceAccountUser", "it ships revisions")
            for name in ("api", "migrate", "solo", "worker")
        ),
    ],
    "pubsub agent": [
        ("topic dead-letters", "roles/pubsub.publisher", "it puts dead letters there"),
        ("subscription storage-push", "roles/pubsub.subscriber", "and takes them here"),
        ("account events", "roles/iam.serviceAccountTokenCreator", "it signs pushes"),
    ],
    "storage agent": [
        ("topic storage", "roles/pubsub.publisher", "it tells of complete uploads")
    ],
}

# Only where a variable of terraform/ asks for it.
VERTEX: list[Row] = [
    ("project", "roles/aiplatform.user", "it may be asked for models of Vertex AI")
]
EVERYBODY: list[Row] = [
    ("service api", "roles/run.invoker", "api_is_public: its own tokens guard it")
]
