"""Cloud Storage on loopback: the parts of its JSON and XML interfaces that we use.

Holds its clients to preconditions, checksums, announced sizes and V4 signatures, and
fails on order (``Fault``). In process: ``with GcsServer() as gcs``. As a process::

    python -m tests.loopback.gcs_server --port 9000 --credentials /tmp/key.json
    curl -d '[{"status": 503, "times": 3}]' localhost:9000/_control/faults
    curl -X DELETE localhost:9000/_control/faults

Clients find it by STORAGE_EMULATOR_HOST; to sign, they need that key file as
GOOGLE_APPLICATION_CREDENTIALS.
"""

import argparse
import json
import logging
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Self

from tests.loopback.gcs_faults import Faults
from tests.loopback.gcs_handler import Handler
from tests.loopback.gcs_signing import Account
from tests.loopback.gcs_store import Resource, Store, notification
from tests.loopback.gcs_wire import Asked, Http

BUCKET = "pegasus-test"

log = logging.getLogger(__name__)


class GcsServer:
    """Serves while it is entered. What it holds lies in a folder of its own.

    Args:
        port: 0 is any free one.
        buckets: those that exist from the start.
        finalized: hears of each new object before the client does.
        clock: seconds since the epoch; what signatures' ages are taken by.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        buckets: Iterable[str] = (BUCKET,),
        finalized: Callable[[Resource], None] = lambda _resource: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gcs-"))
        self.clock = clock
        self.store = Store(self._folder, buckets, finalized=finalized)
        self.account = Account(self._now)
        self.faults = Faults()
        self.asked: list[Asked] = []
        self._http = Http(("127.0.0.1", port), Handler)
        self._http.owner = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def _now(self) -> float:
        return self.clock()  # which a test may set

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def credentials(self) -> dict[str, str]:
        """Return the key file of the account that may sign."""
        return self.account.credentials(self.url)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def serve_forever(self) -> None:
        """Serve in this thread until the process is told to end."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            self._http.serve_forever()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def reset(self) -> None:
        """Forget objects, sessions, faults and what was asked."""
        self.faults.clear()
        self.asked.clear()
        self.store.objects.clear()
        self.store.sessions.clear()


def notify(url: str, resource: Resource) -> None:
    """Push a notification as Pub/Sub does, once and without a token."""
    body = json.dumps(notification(resource)).encode()
    request = urllib.request.Request(  # noqa: S310 - the operator's own URL
        url, body, {"content-type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
    except OSError as exc:
        log.warning("notification lost: %s", exc)


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bucket", action="append", help="one that exists")
    parser.add_argument("--credentials", type=Path, help="write the key file here")
    parser.add_argument("--notify", help="POST an OBJECT_FINALIZE for each object here")
    given = parser.parse_args()
    server = GcsServer(port=given.port, buckets=given.bucket or (BUCKET,))
    if given.notify:
        server.store.finalized = partial(notify, given.notify)
    if given.credentials:
        given.credentials.write_text(json.dumps(server.credentials()))
    server.serve_forever()


if __name__ == "__main__":
    main()
