"""Where the worker process starts: the only place that reads its settings."""

from flask import Flask

from common import db, deps, jobs, logs, settings, tracing
from common.timeline import encoders
from worker_service.app import create_app
from worker_service.heartbeat import Heart


def build() -> tuple[Flask, Heart]:
    """Return the worker and the heart that gunicorn's hooks must stop."""
    logs.configure()
    loaded = settings.load("worker")
    tracing.start(loaded, "pegasus-worker")
    encoders.report()
    # A connection of its own: signs of life must not queue behind the work. It gives a
    # silent database up in time for another sign before the lease ends.
    patience = loaded.lease_seconds / 8
    own = db.connect_from(loaded, pool_size=1, answer_seconds=patience)
    built = deps.build(loaded)
    heart = Heart(
        own,
        lease_seconds=loaded.lease_seconds,
        on_given_back=lambda: jobs.drain(own, built.queue.send),
    )
    return create_app(built, heart), heart


app, heart = build()
