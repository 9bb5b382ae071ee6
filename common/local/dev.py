"""Keep Pegasus running here: ``scripts/dev``."""

import os
import signal
import sys
import threading

from common import logs
from common.errors import AppError
from common.local.stack import Stack, place_from


def main() -> int:
    """Run until SIGTERM or Ctrl-C; return the exit status."""
    logs.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    place = place_from(os.environ)
    try:
        with Stack(place) as stack:
            print(f"ready: {place.url}", flush=True)
            threading.Thread(target=stack.watch, daemon=True).start()
            stop.wait()
    except AppError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
