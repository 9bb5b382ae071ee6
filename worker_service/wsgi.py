"""Where the worker process starts: the only place that reads its settings."""

from flask import Flask

from common import db, deps, logs, settings
from worker_service.app import create_app
from worker_service.heartbeat import Heart


def build() -> tuple[Flask, Heart]:
    """Return the worker and the heart that gunicorn's hooks must stop."""
    logs.configure()
    loaded = settings.load("worker")
    url = loaded.database_url.get_secret_value()
    # A connection of its own: signs of life must not queue behind the work.
    heart = Heart(
        db.connect(url, pool_size=1, max_overflow=0),
        lease_seconds=loaded.lease_seconds,
    )
    return create_app(deps.build(loaded), heart), heart


app, heart = build()
