"""Where the worker process starts: the only place that reads its settings."""

from flask import Flask

from common import db, deps, jobs, logs, settings
from worker_service.app import create_app
from worker_service.heartbeat import Heart


def build() -> tuple[Flask, Heart]:
    """Return the worker and the heart that gunicorn's hooks must stop."""
    logs.configure()
    loaded = settings.load("worker")
    url = loaded.database_url.get_secret_value()
    # A connection of its own: signs of life must not queue behind the work.
    own = db.connect(url, pool_size=1)
    built = deps.build(loaded)
    heart = Heart(
        own,
        lease_seconds=loaded.lease_seconds,
        on_given_back=lambda: jobs.drain(own, built.queue.send),
    )
    return create_app(built, heart), heart


app, heart = build()
