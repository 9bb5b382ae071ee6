"""Whether a key means one effect and one answer, however many ask at once.

python -m tests.bench.bench_idempotency [--quick] [--keys 1000] [--calls 20]

Each key is used by so many callers at the same moment, against two API processes. It
ends with an error if a key had no effect or two, or if two answers to it differ.
"""

import argparse
import http.client
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import text

from common import db
from common.local.stack import Stack
from tests.bench.machine import describe
from tests.bench.running import database_url, pegasus

_SETTINGS = {
    "PEGASUS_API_PROCESSES": "2",
    "PEGASUS_TRUSTED_PROXY_HOPS": "1",  # each key comes from a client of its own
}
_LECTURES = (
    "insert into courses (id, title) values ('c1', 'A course')",
    """
insert into recordings (id, kind, metadata_key, original_filename, size_bytes, sha256)
select md5('l' || n)::uuid, 'audio', 'l' || n, 'a.wav', 1, ''
  from generate_series(0, :keys - 1) n""",
    """
insert into lectures (id, course_id, preset_id, title, status, recording_id)
select 'l' || n, 'c1', 'exam-mode', 'A lecture', 'generated', md5('l' || n)::uuid
  from generate_series(0, :keys - 1) n""",
)
_ANSWER_SECONDS = 60


@dataclass
class Seen:
    """What the callers were told."""

    answers: list[Counter[tuple[int, bytes]]]
    milliseconds: list[float] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)


def main() -> None:
    """Print the figures; end with an error if a key was not what it should be."""
    options = _options()
    with pegasus(**_SETTINGS) as stack:
        print(describe(database_url(stack)))
        factory = db.connect(database_url(stack))
        with factory.begin() as session:
            for statement in _LECTURES:
                session.execute(text(statement), {"keys": options.keys})
        started = time.perf_counter()
        seen = _ask(stack, options.keys, options.calls)
        took = time.perf_counter() - started
        with factory.begin() as session:
            query = text("select subject, count(*) from jobs group by subject")
            effects = {row[0]: row[1] for row in session.execute(query)}
        factory.kw["bind"].dispose()
    _report(seen, effects, took, options.calls)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run, < 20 s")
    parser.add_argument("--keys", type=int, help="how many keys (1000)")
    parser.add_argument("--calls", type=int, default=20, help="callers of each (20)")
    options = parser.parse_args()
    options.keys = options.keys or (50 if options.quick else 1000)
    return options


def _ask(stack: Stack, keys: int, calls: int) -> Seen:
    """Have each key used by all callers at once, one key after the other."""
    seen = Seen([Counter() for _ in range(keys)])
    together = threading.Barrier(calls)
    connect = _connector(stack)
    threads = [
        threading.Thread(target=_call, args=(connect, together, seen))
        for _ in range(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if seen.errors:
        raise seen.errors[0]
    return seen


def _connector(stack: Stack) -> Callable[[], http.client.HTTPConnection]:
    port = stack.place.port
    return lambda: http.client.HTTPConnection(
        "127.0.0.1", port, timeout=_ANSWER_SECONDS
    )


def _call(
    connect: Callable[[], http.client.HTTPConnection],
    together: threading.Barrier,
    seen: Seen,
) -> None:
    connection = connect()
    try:
        for number, answers in enumerate(seen.answers):
            headers = {
                "Idempotency-Key": f"key-{number}",
                "X-Forwarded-For": f"10.0.{number // 250}.{number % 250}",
            }
            together.wait(_ANSWER_SECONDS)
            started = time.perf_counter()
            connection.request("POST", f"/lectures/l{number}/export", headers=headers)
            reply = connection.getresponse()
            answers[reply.status, reply.read()] += 1
            seen.milliseconds.append(1000 * (time.perf_counter() - started))
    except (OSError, http.client.HTTPException, threading.BrokenBarrierError) as exc:
        seen.errors.append(exc)
        together.abort()
    finally:
        connection.close()


def _report(seen: Seen, effects: dict[str, int], took: float, calls: int) -> None:
    keys = len(seen.answers)
    wrong = [
        number
        for number, answers in enumerate(seen.answers)
        if len(answers) != 1
        or next(iter(answers))[0] != http.HTTPStatus.OK
        or effects.get(f"lecture:l{number}") != 1
    ]
    times = sorted(seen.milliseconds)
    print(
        f"{keys} keys by {calls} calls at once: {sum(effects.values())} effects,"
        f" {len(wrong)} keys with another answer or effect\n"
        f"  {took:.1f} s, {keys * calls / took:.0f} calls/s, one call"
        f" p50 {times[len(times) // 2]:.0f} ms, p95 {times[len(times) * 95 // 100]:.0f}"
        f" ms, longest {times[-1]:.0f} ms"
    )
    if wrong:
        sys.exit(f"wrong: {wrong[:10]}: {seen.answers[wrong[0]]}")


if __name__ == "__main__":
    main()
