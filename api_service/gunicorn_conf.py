"""How gunicorn runs the API: few processes, many threads, because requests wait."""

import os
from typing import Any

from common import settings

_HOST = os.environ.get("PEGASUS_BIND", "127.0.0.1")
bind = f"{_HOST}:{os.environ.get('PORT', '8080')}"
worker_class = "gthread"
workers = int(os.environ.get("PEGASUS_API_PROCESSES", "1"))
threads = int(os.environ.get("PEGASUS_API_THREADS", "32"))
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
