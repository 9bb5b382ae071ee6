"""HTTP routes. A new noun is a module here and an entry below."""

from flask import Blueprint

from api_service.routes import (
    artifacts,
    documentation,
    exports,
    health,
    jobs,
    lectures,
    presets,
    recordings,
    transcripts,
)

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.bp,
    documentation.bp,
    presets.bp,
    lectures.bp,
    recordings.bp,
    transcripts.bp,
    artifacts.bp,
    exports.bp,
    jobs.bp,
)
