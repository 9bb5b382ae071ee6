"""HTTP routes. A new noun is a module here and an entry below."""

from flask import Blueprint

from api_service.routes import (
    artifacts,
    courses,
    dead_letters,
    deletions,
    documentation,
    exports,
    health,
    integrity,
    jobs,
    lectures,
    media,
    operations,
    presets,
    recordings,
    threads,
    transcripts,
    upload_contents,
    uploads,
)

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.bp,
    documentation.bp,
    presets.bp,
    courses.bp,
    threads.bp,
    lectures.bp,
    recordings.bp,
    media.bp,
    transcripts.bp,
    artifacts.bp,
    exports.bp,
    integrity.bp,
    jobs.bp,
    dead_letters.bp,
    deletions.bp,
    operations.bp,
    uploads.bp,
    upload_contents.bp,
)
