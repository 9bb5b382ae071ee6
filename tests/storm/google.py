"""Google's part in a storm, as one process: Cloud Tasks, its tokens, the Scheduler.

python -m tests.storm.google PORT CONTROL_PORT CERTS_PORT WORKER_URL --seed N
"""

import argparse
import http.client
import json
import signal
import threading
from contextlib import closing, suppress
from urllib.parse import urlsplit

from tests.loopback.cloud_tasks_server import cloud_tasks_server, control_server
from tests.loopback.cloud_tasks_service import Limits
from tests.loopback.google_signer import GoogleSigner

PROJECT, LOCATION, PREFIX = "storm", "europe-west1", "pegasus"
TASKS = "tasks@storm.iam.gserviceaccount.com"
SCHEDULER = "scheduler@storm.iam.gserviceaccount.com"
EVENTS = "events@storm.iam.gserviceaccount.com"

_AT_ONCE = {"media": 8, "speech": 16, "llm": 8, "solo": 1}
_BACKOFF_SECONDS = (0.5, 5.0)  # as ours, on the scale of a storm's leases
_SWEEP_SECONDS = 1.0
_LOST_AFTER_SECONDS = 5  # a due job without a task for so long has lost it
_HURRY_SECONDS = 5  # a sweep that hangs longer than this is given up


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    for name in ("port", "control_port", "certs_port"):
        parser.add_argument(name, type=int)
    parser.add_argument("worker_url")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    with (
        GoogleSigner(wanted.certs_port) as signer,
        cloud_tasks_server(signer, port=wanted.port, seed=wanted.seed) as service,
        control_server(service, wanted.control_port),
    ):
        least, most = _BACKOFF_SECONDS
        for queue, at_once in _AT_ONCE.items():
            name = f"projects/{PROJECT}/locations/{LOCATION}/queues/{PREFIX}-{queue}"
            service.add_queue(
                name, Limits(at_once, min_backoff=least, max_backoff=most)
            )
        while not told.wait(_SWEEP_SECONDS):
            _sweep(signer, wanted.worker_url)


def _sweep(signer: GoogleSigner, worker_url: str) -> None:
    """Call the worker as Cloud Scheduler does, and leave it to the next call."""
    address = urlsplit(worker_url)
    token = signer.token(email=SCHEDULER, audience=worker_url)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"lost_after_seconds": _LOST_AFTER_SECONDS})
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=_HURRY_SECONDS
    )
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/schedules/sweep", body, headers)
        connection.getresponse().read()


if __name__ == "__main__":
    main()
