"""Wiring: everything a route or handler may use, built once per process."""

from dataclasses import dataclass

from common import db
from common.db import Db
from common.providers import events, identity, llm, queue, speech, storage
from common.providers.events import Events
from common.providers.identity import Identity, People
from common.providers.llm import LanguageModelFactory
from common.providers.queue import Queue
from common.providers.speech import SpeechFactory
from common.providers.storage import Storage
from common.settings import Settings


@dataclass(frozen=True, slots=True)
class Deps:
    """Handed to ``create_app``; tests hand in their own."""

    settings: Settings
    db: Db
    storage: Storage
    queue: Queue
    events: Events
    identity: Identity
    speech: SpeechFactory
    llm: LanguageModelFactory
    people: People | None = None  # who vouches for them when they sign in


def build(settings: Settings) -> Deps:
    """Return the real thing. Opens no connection."""
    return Deps(
        settings=settings,
        db=db.connect_from(settings),
        storage=storage.from_settings(settings),
        queue=queue.from_settings(settings),
        events=events.from_settings(settings),
        identity=identity.from_settings(settings),
        speech=speech.from_settings(settings),
        llm=llm.from_settings(settings),
        people=identity.people_from_settings(settings),
    )
