"""Language models: from a transcript to study material."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from common.errors import BadRequest
from common.settings import Settings
from common.study import StudyDraft, StudyMaterial
from common.transcript import Engine
from common.usage import Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a paid model: a JSON object, and what it used."""

    document: dict[str, Any]
    usage: Usage


class Remember(Protocol):
    """Makes a paid call at most once per job, however often the job is tried."""

    def __call__(self, step: str, call: Callable[[], Reply]) -> dict[str, Any]:
        """Return the saved document of ``step``, or call, save and return it.

        ``step`` names the call and everything its answer depends on.
        """


class LanguageModel(Protocol):
    """Write study material from a transcript."""

    @property
    def engine(self) -> Engine:
        """Who writes."""

    def study(self, material: StudyMaterial, remember: Remember) -> StudyDraft:
        """Return a draft whose items cite the transcript word for word.

        Raises:
            ProviderBusy: too many requests; try again, uncounted.
            ProviderUnavailable: quota, time-out, 5xx or an answer cut short.
            ProviderAuthError: the key is wrong.
            ProviderError: the provider refuses, or never answers by the schema.
        """


LanguageModelFactory = Callable[[str | None, str | None], LanguageModel]
"""Provider and model (None: as the settings say) to a language model."""

PROVIDERS = ("extractive", "openai")


def canonical(provider: str) -> str:
    """Return our name of a provider.

    Raises:
        BadRequest: we have no such provider.
    """
    if provider not in PROVIDERS:
        raise BadRequest(
            f"Unsupported LLM provider: {provider}."
            f" Use {', '.join(repr(p) for p in PROVIDERS)}.",
            code="provider_unknown",
        )
    return provider


def accept(settings: Settings, provider: str | None) -> str:
    """Return our name of the provider that a request asks for (None: the default).

    Raises:
        BadRequest: we have no such provider, or it lacks its key.
    """
    name = canonical(provider or settings.llm_provider)
    if name == "openai" and settings.openai_api_key is None:
        raise BadRequest(
            "Provider 'openai' is not configured: set OPENAI_API_KEY.",
            code="provider_not_configured",
        )
    return name


def from_settings(settings: Settings) -> LanguageModelFactory:
    """Return the factory of models; each is made once, when first asked for."""

    @cache
    def make(provider: str, model: str | None) -> LanguageModel:
        match provider:
            case "openai":
                from common.providers.llm.openai import openai_model

                return openai_model(settings, model)
            case _:
                from common.providers.llm.extractive import ExtractiveModel

                return ExtractiveModel()

    def llm(provider: str | None, model: str | None) -> LanguageModel:
        return make(canonical(provider or settings.llm_provider), model)

    return llm
