"""The API as it is run: gunicorn with our configuration, watched from outside."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.local.postgres import free_port
from tests.conftest import SECRET, SECRET_KEY
from tests.e2e.machine import clean_environment, wait_for

_ROOT = Path(__file__).parents[1]
_PATIENCE_SECONDS = 20


class LiveApi:
    """One gunicorn with one worker process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int):
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path, **headers):
        """Return status and body of an answer that comes at once."""
        with self.opened(path, **headers) as reply:
            return reply.status, reply.read()

    @contextmanager
    def opened(self, path, **headers):
        line = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=_PATIENCE_SECONDS
        )
        try:
            line.request("GET", path, headers=headers)
            with line.getresponse() as reply:
                yield reply
        finally:
            line.close()

    def stop(self):
        """Do as Cloud Run does; return after how many seconds it has ended."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(_PATIENCE_SECONDS)
        return time.monotonic() - started


@contextmanager
def live_api(database_url, folder, **settings) -> Iterator[LiveApi]:
    port = free_port()
    environment = {
        **clean_environment(),
        "DATABASE_URL": database_url,
        "PEGASUS_INTERNAL_SECRET": SECRET,
        "PLC_STORAGE_DIR": str(folder),
        "PORT": str(port),
        "SECRET_KEY": SECRET_KEY,
        **settings,
    }
    command = [sys.executable, "-m", "gunicorn", "-c"]
    command += ["python:api_service.gunicorn_conf", "api_service.wsgi:app"]
    with subprocess.Popen(command, cwd=_ROOT, env=environment) as process:  # noqa: S603
        found = LiveApi(process, port)
        try:
            wait_for(lambda: _answers(found))
            yield found
        finally:
            process.kill()


def _answers(found):
    assert found.process.poll() is None, "the API does not start"
    try:
        return found.get("/health/live")[0] == 200
    except OSError:
        return False


def events(reply):
    """Yield id and data of each event, and None for each comment, as they come."""
    fields: dict[str, str] = {}
    for raw in reply:
        line = raw.decode().rstrip("\n")
        if line.startswith(":"):
            yield None
        elif line:
            name, _, value = line.partition(": ")
            assert name in {"id", "data"}  # an event with a name would not be heard
            fields[name] = value
        elif fields:
            yield fields["id"], json.loads(fields["data"])
            fields = {}
