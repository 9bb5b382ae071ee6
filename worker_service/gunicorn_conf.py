"""How gunicorn runs the worker: one process, as many threads as jobs at once."""

import importlib
import os
import signal
from types import FrameType
from typing import Any

from common import settings

_HOST = os.environ.get("PEGASUS_BIND", "127.0.0.1")
bind = f"{_HOST}:{os.environ.get('PORT', '8081')}"
worker_class = "gthread"
workers = 1
# Both names are known; a deployment's own comes first.
threads = int(
    os.environ.get("PEGASUS_WORKER_THREADS")
    or os.environ.get("WORKER_CONCURRENCY")
    or "16"
)
timeout = 0  # a process without CPU is not a stuck one: Cloud Run gives none if idle
graceful_timeout = 8  # Cloud Run leaves 10 s
keepalive = 5
preload_app = False  # no client of a provider, heart or connection survives a fork
control_socket_disable = True
errorlog = "-"
loglevel = "warning"


def on_starting(_master: Any) -> None:  # noqa: ANN401 - gunicorn's own type
    """End at once when a setting is wrong; a worker that does is started for ever."""
    settings.load("worker")


def post_worker_init(_worker: Any) -> None:  # noqa: ANN401 - gunicorn's own type
    """Have SIGTERM start the draining before gunicorn stops taking requests."""
    heart = importlib.import_module("worker_service.wsgi").heart
    earlier = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        heart.drain()
        if callable(earlier):
            earlier(number, frame)

    signal.signal(signal.SIGTERM, drain)
