"""The routes of VidWiz clients, all of them below /v2."""

from flask import Blueprint

from api_service.routes.v2 import (
    auth,
    conversations,
    guests,
    internal,
    internal_tasks,
    messages,
    notes,
    payments,
    users,
    videos,
)

BLUEPRINTS: tuple[Blueprint, ...] = (
    auth.bp,
    users.bp,
    payments.bp,
    conversations.bp,
    messages.bp,
    guests.bp,
    videos.bp,
    notes.bp,
    internal_tasks.bp,
    internal.bp,
)
