"""How gunicorn runs the API: few processes, many threads, because requests wait."""

import importlib
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from common import settings

_HOST = os.environ.get("PEGASUS_BIND", "127.0.0.1")
bind = f"{_HOST}:{os.environ.get('PORT', '8080')}"
worker_class = "gthread"
workers = int(os.environ.get("PEGASUS_API_PROCESSES", "1"))
# A stream keeps a thread for as long as its client stays: 300 of them, see
# PEGASUS_MAX_STREAMS, and 40 for who wants one answer. They are started when needed.
threads = int(os.environ.get("PEGASUS_API_THREADS", "340"))
timeout = 0  # a process without CPU is not a stuck one: Cloud Run gives none if idle
graceful_timeout = 8  # Cloud Run leaves 10 s
keepalive = 5
preload_app = False  # no client of a provider, heart or connection survives a fork
control_socket_disable = True
errorlog = "-"
loglevel = "warning"


def on_starting(_master: Any) -> None:  # noqa: ANN401 - gunicorn's own type
    """End at once when a setting is wrong; a worker that does is started for ever."""
    settings.load("api")


def post_worker_init(_worker: Any) -> None:  # noqa: ANN401 - gunicorn's own type
    """Have a signal to stop end all streams: they would outlast every grace."""
    app = importlib.import_module("api_service.wsgi").app
    for number in (signal.SIGTERM, signal.SIGQUIT):
        _before(number, app.extensions["streams"].close)


def _before(number: signal.Signals, act: Callable[[], None]) -> None:
    earlier = signal.getsignal(number)

    def handle(signum: int, frame: FrameType | None) -> None:
        act()
        if callable(earlier):
            earlier(signum, frame)

    signal.signal(number, handle)
