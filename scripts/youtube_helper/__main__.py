"""Run the helper: ``ADMIN_TOKEN=… python -m scripts.youtube_helper --api-url URL``.

The older name of each variable is read as well: VIDWIZ_INTERNAL_API_ADMIN_TOKEN and
VIDWIZ_INTERNAL_API_BASE_URL.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence

from scripts.youtube_helper import youtube
from scripts.youtube_helper.server import Server
from scripts.youtube_helper.work import Fetch, Helper

FETCHES: Mapping[str, Fetch] = {
    "metadata": youtube.metadata,
    "transcript": youtube.transcript,
}
_LOCAL = "http://127.0.0.1:8080/v2"
_STOP_SECONDS = 5  # a poll that is under way is not waited for


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until SIGINT or SIGTERM; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    token = _variable("ADMIN_TOKEN", "VIDWIZ_INTERNAL_API_ADMIN_TOKEN")
    if not token:
        parser.error("ADMIN_TOKEN must be set, to the one of the server.")
    kinds = [options.type] if options.type else list(FETCHES)
    youtube.require(kinds)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = Server(options.api_url, token)
    helpers = [Helper(server, k, FETCHES[k], options.timeout, stop) for k in kinds]
    threads = [threading.Thread(target=one.run, daemon=True) for one in helpers]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(_STOP_SECONDS)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.youtube_helper",
        description="Fetch for Pegasus what it wants to know of YouTube's videos.",
    )
    named = _variable("API_URL", "VIDWIZ_INTERNAL_API_BASE_URL")
    parser.add_argument("--api-url", default=named or _LOCAL, help="up to /v2")
    parser.add_argument("--timeout", type=int, default=30, help="seconds of a poll")
    parser.add_argument("--type", choices=sorted(FETCHES), help="only such tasks")
    return parser


def _variable(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


if __name__ == "__main__":
    sys.exit(main())
