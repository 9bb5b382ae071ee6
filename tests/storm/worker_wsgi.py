"""The worker as it is, with places at which the storm can kill or stop it.

Only the storm starts this. Environment: STORM_FOLDER and STORM_WORKER say who it is,
STORM_CLOCK_SECONDS moves its wall clock.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flask import Response

from common import deps, jobs
from common.jobs import Lease, LeaseLost
from tests.storm.notes import Notes
from worker_service.heartbeat import Heart, Pulse

POISON = "poison"  # an answer that its reader does not survive

_NOTES = Notes(Path(os.environ["STORM_FOLDER"]))
_WORKER = os.environ["STORM_WORKER"]


class _Here(threading.local):
    """What this thread works on."""

    about: Mapping[str, object] = MappingProxyType({})


_here = _Here()


def _point(name: str) -> None:
    order = _NOTES.take_order(_WORKER, name)
    if order is None:
        return
    _NOTES.write("order", worker=_WORKER, point=name, order=order, **_here.about)
    if order == "kill":
        _die()
    _sleep_deeply(float(order.removeprefix("stop ")))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _sleep_deeply(seconds: float) -> None:
    """Stop all threads; a child wakes us."""
    me = os.getpid()
    alarm = ["sh", "-c", f"sleep {seconds}; kill -CONT {me}"]
    subprocess.Popen(alarm, start_new_session=True)  # noqa: S603
    os.kill(me, signal.SIGSTOP)


@dataclass(frozen=True, slots=True)
class _Speech:
    """A recogniser whose answers can be fatal."""

    inner: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def recognize(
        self, flac: bytes, *, language: str, prompt: str | None = None
    ) -> Any:
        heard = self.inner.recognize(flac, language=language, prompt=prompt)
        if any(segment.text == POISON for segment in heard.segments):
            _NOTES.write("poisoned", worker=_WORKER, **_here.about)
            _die()
        _point("after_provider")
        return heard


@dataclass(frozen=True, slots=True)
class _Model:
    inner: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def study(self, material: Any, remember: Any) -> Any:
        def and_then(step: str, call: Callable[[], Any], *rest: Any) -> Any:
            def ask() -> Any:
                reply = call()
                _point("after_provider")
                return reply

            return remember(step, ask, *rest)

        return self.inner.study(material, and_then)


def _with_points(built: deps.Deps) -> deps.Deps:
    return replace(
        built,
        speech=lambda provider, model: _Speech(built.speech(provider, model)),
        llm=lambda provider, model: _Model(built.llm(provider, model)),
    )


def _noted(name: str) -> Callable[..., Any]:
    """Return a step of the protocol that tells when the fence refuses it."""
    original = getattr(jobs, name)

    def step(session: Any, lease: Lease, *args: Any, **options: Any) -> Any:
        about = {"job_id": lease.job_id, "epoch": lease.epoch}
        if name == "succeed":
            _point("before_succeed")
        try:
            done = original(session, lease, *args, **options)
        except LeaseLost:
            _NOTES.write("refused", worker=_WORKER, step=name, **about)
            raise
        if name == "succeed":
            _point("before_commit")
        return done

    return step


@contextmanager
def _hold(heart: Heart, lease: Lease) -> Iterator[Pulse]:
    about = {"job_id": lease.job_id, "epoch": lease.epoch}
    _here.about = about
    with _original_hold(heart, lease) as pulse:
        _NOTES.write("claimed", worker=_WORKER, kind=lease.kind, **about)
        _point("after_claim")
        yield pulse
        if pulse.lost.is_set():
            _NOTES.write("lost", worker=_WORKER, **about)
        _point("after_commit")


def _beat(heart: Heart) -> None:
    """Note which jobs hear at this beat that nobody wants them any more."""
    unaware = [one for one in heart._pulses() if not one.cancelled.is_set()]  # noqa: SLF001
    _original_beat(heart)
    for pulse in unaware:
        if pulse.cancelled.is_set():
            _NOTES.write("told to cancel", job_id=pulse.lease.job_id)


def _before_ack(response: Response) -> Response:
    _point("before_ack")
    return response


def _move_clock(seconds: float) -> None:
    """Move what our code reads; libraries that check tokens ask the system itself."""
    right = time.time
    time.time = lambda: right() + seconds


_original_hold = Heart.hold
_original_beat = Heart.beat
_original_build = deps.build
Heart.hold = _hold  # type: ignore[assignment, method-assign]
Heart.beat = _beat  # type: ignore[assignment, method-assign]
deps.build = lambda settings: _with_points(_original_build(settings))
for _name in ("succeed", "checkpoint", "give_back", "wait_for_children"):
    setattr(jobs, _name, _noted(_name))
_move_clock(float(os.environ.get("STORM_CLOCK_SECONDS", "0")))

from worker_service.wsgi import app  # noqa: E402 - after what it is to be built of

app.after_request(_before_ack)
