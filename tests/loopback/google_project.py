"""The settings of a deployment on Google Cloud whose parts are on loopback."""

from common.settings import Settings
from tests.loopback.cloud_tasks_service import CloudTasks
from tests.loopback.google_signer import GoogleSigner

TASKS = "tasks@loopback.iam.gserviceaccount.com"
SCHEDULER = "scheduler@loopback.iam.gserviceaccount.com"
EVENTS = "events@loopback.iam.gserviceaccount.com"
WORKER_URL = "https://worker.example"
QUEUES = "projects/loopback/locations/europe-west1/queues/pegasus"


def known_to(signer: GoogleSigner, settings: Settings, **changes: object) -> Settings:
    """Return the settings of a worker whose callers the signer signs for."""
    ours = {
        "identity": "google",
        "oidc_certs_url": signer.certs_url,
        "worker_url": WORKER_URL,
        "tasks_service_account": TASKS,
        "scheduler_service_account": SCHEDULER,
        "events_service_account": EVENTS,
    }
    return settings.model_copy(update=ours | changes)


def queued_in(tasks: CloudTasks, settings: Settings, **changes: object) -> Settings:
    """Return the settings of who sends tasks there."""
    project, location = QUEUES.split("/")[1:4:2]
    ours = {
        "queue": "cloud_tasks",
        "google_cloud_project": project,
        "tasks_location": location,
        "tasks_endpoint": tasks.host,
        "tasks_service_account": TASKS,
    }
    return settings.model_copy(update=ours | changes)
