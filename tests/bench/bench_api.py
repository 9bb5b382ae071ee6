"""How fast the API answers, starts and how little it holds when idle.

python -m tests.bench.bench_api [--quick]

Requests per second are those of eight clients that each wait for an answer before they
ask again. Upstream is the older implementation, measured once on the reference machine
with the same clients and database; reach ten times its figures.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.errors import AppError
from common.local.client import Client
from common.local.postgres import free_port
from common.local.stack import Stack
from tests.bench.closed_loop import Load, measure
from tests.bench.lectures import fill
from tests.bench.machine import cpu_seconds, describe, pss_mib, tree
from tests.bench.running import database_url, pegasus, pid

_SAMPLE = Path(__file__).parents[2] / "examples" / "how_vaccines_work.mp3"
_START_SECONDS = 30
_LOOK_SECONDS = 0.01
_CPU_TARGET_SECONDS = 1.5
_MEMORY_TARGET_MIB = 120


@dataclass(frozen=True, slots=True)
class Route:
    """A path to ask for, with what upstream reaches there."""

    name: str
    path: str
    upstream_per_second: float | None


ROUTES = (
    Route("/health", "/health", None),
    Route("/lectures/{id}", "/lectures/{}", 86),
    Route("/lectures/{id}/summary", "/lectures/{}/summary", 38),
    Route("/lectures?limit=20", "/lectures?limit=20", 47),
)


def main() -> None:
    """Print all figures."""
    options = _options()
    with pegasus() as stack:
        url = database_url(stack)
        print(describe(url))
        lectures = fill(url, 100 if options.quick else 1000)
        print(f"{len(lectures)} lectures; API on {_processes(stack)} process(es)\n")
        _print_rates(stack, lectures, options.seconds)
        _print_starts(stack, 1 if options.quick else 5)
        if not options.quick:
            _use_everything(Client(stack.place.url))
        _print_memory(stack)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run, < 20 s")
    parser.add_argument("--seconds", type=float, help="load on each route (10)")
    options = parser.parse_args()
    options.seconds = options.seconds or (0.7 if options.quick else 10.0)
    return options


def _processes(stack: Stack) -> int:
    return len(tree(pid(stack, "api"))) - 1  # gunicorn's master


def _print_rates(stack: Stack, lectures: list[str], seconds: float) -> None:
    """Print a line for each route; CPU is the API's, and less fickle than the rest."""
    api = tree(pid(stack, "api"))
    print(
        f"{'GET':<26}{'upstream/s':>11}{'now/s':>8}{'times':>7}"
        f"{'p50 ms':>8}{'p95 ms':>8}{'CPU ms':>8}"
    )
    for route in ROUTES:
        paths = sorted({route.path.format(id_) for id_ in lectures})
        before = cpu_seconds(api)
        found = measure(Load(stack.place.url, paths, seconds))
        cpu_ms = 1000 * (cpu_seconds(api) - before) / found.requests
        rate, upstream = found.requests_per_second, route.upstream_per_second
        print(
            f"{route.name:<26}{upstream or '-':>11}{rate:>8.0f}"
            f"{f'{rate / upstream:.1f}' if upstream else '-':>7}"
            f"{found.p50_ms:>8.1f}{found.p95_ms:>8.1f}{cpu_ms:>8.2f}"
        )


def _print_starts(stack: Stack, times: int) -> None:
    """Start the API beside the running one, and stop it at its first answer."""
    found = [_start(stack) for _ in range(times)]
    cpu, wall = (min(figures) for figures in zip(*found, strict=True))
    print(
        f"\ncold start of the API, best of {times}: {cpu:.2f} CPU s (target"
        f" {_CPU_TARGET_SECONDS}), {wall:.2f} s until /health answered"
    )


def _start(stack: Stack) -> tuple[float, float]:
    api, port = stack.service("api"), free_port()
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own command
        api.command,
        env=dict(api.environment) | {"PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}")
        return cpu_seconds(tree(process.pid)), time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            Client(url).get("/health")
        except AppError:
            time.sleep(_LOOK_SECONDS)
        else:
            return
    sys.exit(f"{url} did not answer in {_START_SECONDS} s")


def _use_everything(client: Client) -> None:
    """Have each service do each kind of thing once, so that all of it is loaded."""
    fields = {"course_id": "bench", "lecture_id": "bench", "title": "Bench"}
    client.ingest(_SAMPLE, fields | {"preset_id": "exam-mode"})
    _attend(client, "transcription")
    client.post("/lectures/bench/generate", {})
    _attend(client, "generation")
    client.post("/lectures/bench/export", {})
    _attend(client, "export")
    for path in ("/transcript", "/artifacts", "/jobs", "/progress"):
        client.get(f"/lectures/bench{path}")
    client.download("/exports/bench/pdf")


def _attend(client: Client, stage: str) -> None:
    *_, last = client.stages("bench", stage)
    if last["status"] != "completed":
        sys.exit(f"{stage} failed: {last['error']}")


def _print_memory(stack: Stack) -> None:
    print(f"\nidle memory in MiB (PSS; target {_MEMORY_TARGET_MIB} per process)")
    for name in ("api", "worker", "queue"):
        for process in tree(pid(stack, name)):
            print(f"  {name:<8}{_role(process):<28}{pss_mib(process):>6.0f}")


def _role(process: psutil.Process) -> str:
    words = process.cmdline()
    script = next((w for w in words if w.endswith(".py")), None)
    return Path(script).name if script else " ".join(words[2:3]) or process.name()


if __name__ == "__main__":
    main()
