"""Headless Chromium, and the pages that it shows; both only of this machine."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pytest

from tests.e2e.machine import wait_for

_PATIENCE_SECONDS = 60
_BUDGET_MS = 20_000


def _chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("Chromium is missing, and CI must not do without it.")
    pytest.skip("Chromium is not installed.")


class Pages:
    """A server of one page, which notes what its scripts ask for."""

    def __init__(self):
        self.page = ""
        self.asked: list[str] = []
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = b""
                if self.path == "/":
                    body = f"<!doctype html><body>{pages.page}</body>".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                pages.asked.append(self.path)

            def log_message(self, *_args):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, path):
        wait_for(lambda: path in self.asked)
        self.asked.remove(path)


class Page:
    """A page that is being shown."""

    def __init__(self, process):
        self._process = process

    def shown(self):
        """Wait for its script to end; return the JSON that the body shows then."""
        dumped, _ = self._process.communicate(timeout=_PATIENCE_SECONDS)
        body = re.search(r"<body>(.*?)</body>", dumped.decode(), re.DOTALL)
        assert body, dumped
        return json.loads(unescape(body[1]))


@contextlib.contextmanager
def browse(url):
    """Open a page; its timers run as fast as nothing else is waited for."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *(_chromium(), "--headless", "--disable-gpu", "--no-first-run"),
            "--no-sandbox",  # of our own page only; as root it would not start
            "--disable-dev-shm-usage",
            f"--user-data-dir={profile}",
            f"--virtual-time-budget={_BUDGET_MS}",
            *("--dump-dom", url),
        ]
        with subprocess.Popen(  # noqa: S603 - our own
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            try:
                yield Page(process)
            finally:
                process.kill()
