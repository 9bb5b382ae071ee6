"""One storm from the first process to the last line of its report."""

from pathlib import Path

from tests.loopback.gcs_server import GcsServer
from tests.storm.invariants import Finding
from tests.storm.machine import Machine
from tests.storm.provider import Provider
from tests.storm.report import findings, lines
from tests.storm.storm import Plan, Storm


def run(plan: Plan, home: Path) -> list[Finding]:
    """Have a storm, print what it did, and return what was looked at."""
    print(f"seed {plan.seed}: the same storm again by --seed {plan.seed}", flush=True)
    with Provider(plan.seed) as provider, GcsServer() as storage:
        machine = Machine(home, plan.seed, storage, provider.url)
        try:
            machine.start()
            storm = Storm(machine, provider, plan)
            storm.run()
            found = findings(storm)
            print("\n".join(lines(storm, found)))
        finally:
            machine.stop()
    return found
