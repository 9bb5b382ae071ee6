"""``python -m common.doctor``: prints what it finds; status 1 if somebody must act."""

import sys
from datetime import UTC, date, datetime

from common import deps, doctor, settings


def main() -> int:
    """Examine the settings of the environment as the worker would take them."""
    found = doctor.examine(deps.build(settings.load("worker")), _today())
    worst = 0
    for check, finding in found:
        sys.stdout.write(f"{finding.level:8}{check:12}{finding.text}\n")
        worst |= finding.level == "problem"
    return worst


def _today() -> date:
    return datetime.now(UTC).date()


if __name__ == "__main__":
    sys.exit(main())
