"""Keep Pegasus running here: ``scripts/dev``."""

import os
import sys
import time

from common import logs
from common.errors import AppError
from common.local.processes import Stopped, stop_on_signals
from common.local.stack import Stack, place_from

_LOOK_SECONDS = 1.0  # so often may a service that keeps dying be started


def main() -> int:
    """Run until SIGTERM or Ctrl-C; return the exit status."""
    logs.configure()
    stop_on_signals()
    try:
        with Stack(place_from(os.environ)) as stack:
            print(f"ready: {stack.place.url}", flush=True)
            while True:
                time.sleep(_LOOK_SECONDS)
                stack.revive()
    except Stopped:
        return 0
    except AppError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
