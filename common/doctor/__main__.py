"""``python -m common.doctor``: prints what it finds; status 1 if somebody must act."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial

from common import settings
from common.doctor import examination
from common.doctor.asking import is_web_address
from common.doctor.examination import Report

_EPILOG = """\
With the settings of a service in the environment, everything that they name is
examined; without them this machine, and the Pegasus of scripts/dev on it; with only
--url what an API shows to anybody. Nothing is changed. Status: 0 nothing is wrong,
1 somebody must act, 2 wrong use.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine what the arguments and the environment name."""
    args = _arguments(arguments)
    found = _report(args.url, laptop=args.laptop)
    worst = _as_json(found) if args.json else _as_text(found)
    sys.stdout.flush()
    return worst


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/doctor",
        description="Say in plain words what is wrong with Pegasus.",
        epilog=_EPILOG,
    )
    parser.add_argument("--url", help="of an API; else PEGASUS_PUBLIC_URL")
    parser.add_argument(
        "--laptop", action="store_true", help="this machine, whatever is set"
    )
    parser.add_argument(
        "--json", action="store_true", help="one document, for programs"
    )
    args = parser.parse_args(arguments)
    if args.url is not None and not is_web_address(args.url):
        parser.error("--url must be http://… or https://…")
    return args


def _report(url: str | None, *, laptop: bool) -> Report:
    load = partial(settings.load, "worker")
    if examination.has_settings() and not laptop:
        return examination.as_service(load, url)
    if url and not laptop:
        return examination.as_guest(url)
    return examination.as_owner(load, url)


def _as_text(found: Report) -> int:
    worst = 0
    for check, finding in found:
        line = f"{finding.level:8}{check:12}{' '.join(finding.text.split())}"
        sys.stdout.write(f"{line}\n")
        worst |= finding.level == "problem"
    return worst


def _as_json(found: Report) -> int:
    findings = [
        {"check": check, "level": finding.level, "text": finding.text}
        for check, finding in found
    ]
    worst = any(finding["level"] == "problem" for finding in findings)
    document = {"status": "problem" if worst else "ok", "findings": findings}
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
