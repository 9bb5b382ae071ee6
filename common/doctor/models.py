"""Which models are configured, whether they can be asked, and how long they live."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from common.deps import Deps
from common.doctor.finding import Finding, Level
from common.errors import BadRequest
from common.providers import catalog, llm, speech
from common.settings import Settings

SOON_DAYS = 60  # time to try another model, and to roll it out


@dataclass(frozen=True, slots=True)
class InUse:
    """A model that is asked when a request names none; ``need`` is what for."""

    need: str
    provider: str
    model: catalog.Model
    default: str

    def __str__(self) -> str:
        return f"{self.need}: {self.provider}/{self.model.name}"


def in_use(settings: Settings) -> Iterator[InUse]:
    """Yield the configured models that run elsewhere."""
    heard_by = speech.meant(settings, settings.speech_provider)
    if heard_by == "openai":
        name = settings.speech_model or catalog.DEFAULT_SPEECH_MODEL
        row, default = catalog.speech_model(name), catalog.DEFAULT_SPEECH_MODEL
        yield InUse("speech", heard_by, row, default)
    if heard_by == "google":
        row = catalog.google_speech_model(settings.gcp_stt_model)
        yield InUse("speech", heard_by, row, catalog.GOOGLE_SPEECH_MODELS[0].name)
    writer = settings.llm_provider
    if writer in llm.PROVIDERS and writer not in catalog.LOCAL:
        default = llm.default_model(writer)
        row = catalog.chat_model(llm.configured_model(settings, writer))
        yield InUse("study material", writer, row, default)
        if settings.chat_model:
            yield InUse(
                "chat", writer, catalog.chat_model(settings.chat_model), default
            )


def keys(deps: Deps, _today: date) -> Iterable[Finding]:
    """Tell which provider lacks what it needs."""
    for need, accept in (("speech", speech.accept), ("study material", llm.accept)):
        try:
            provider = accept(deps.settings, None)
        except BadRequest as exc:
            yield Finding("problem", f"{need}: {exc}")
        else:
            yield Finding("ok", f"{need}: provider '{provider}' has what it needs.")


def names(deps: Deps, _today: date) -> Iterable[Finding]:
    """Tell which model is in no table, so that its limits and end are guesses."""
    for one in in_use(deps.settings):
        if not catalog.is_known(one.model.name):
            text = f"{one} is unknown: its limits are guessed, its end is not known."
            yield Finding("note", text)
        elif one.model.vendor != one.provider.replace("vertex", "gemini"):
            yield Finding("problem", f"{one} is a model of '{one.model.vendor}'.")


def lifetimes(deps: Deps, today: date) -> Iterable[Finding]:
    """Tell which model ends, when, and what to use instead."""
    for one in in_use(deps.settings):
        end = one.model.shutdown
        if end is None:
            yield Finding("ok", f"{one} has no announced end.")
            continue
        left = (end - today).days
        instead = f"use {one.model.instead or one.default} instead"
        if left < 0:
            yield Finding("problem", f"{one} ended on {end}; {instead}.")
        else:
            level: Level = "problem" if left < SOON_DAYS else "note"
            yield Finding(level, f"{one} ends on {end}, in {left} days; {instead}.")
