"""Language models: from a transcript to study material, and to answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from common.briefs import Brief, BriefMaterial
from common.errors import BadRequest
from common.providers import catalog
from common.scenes import SceneMaterial, Scenes
from common.settings import Settings
from common.study import StudyDraft, StudyMaterial
from common.talk import Talk
from common.transcript import Engine
from common.usage import Estimate, Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a paid model: a JSON object, and what it used."""

    document: dict[str, Any]
    usage: Usage


class Remember(Protocol):
    """Makes a paid call at most once per job, however often the job is tried."""

    def __call__(
        self, step: str, call: Callable[[], Reply], most: Estimate
    ) -> dict[str, Any]:
        """Return the saved document of ``step``, or call, save and return it.

        ``step`` names the call and everything its answer depends on; ``most`` is what
        the call may cost.

        Raises:
            BudgetExhausted: nothing was called; go on tomorrow.
            BudgetRefused: nothing was called, and never will be.
        """


class LanguageModel(Protocol):
    """Write from a transcript."""

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

    def brief(self, material: BriefMaterial, remember: Remember) -> Brief:
        """Return one short text: a note on a moment, or a summary with questions.

        Raises:
            ProviderError: or one of its subclasses, as ``study`` says.
        """

    def scenes(self, material: SceneMaterial, remember: Remember) -> Scenes:
        """Return the scenes of a film that are worth showing alone; may be none.

        Raises:
            ProviderError: or one of its subclasses, as ``study`` says.
        """

    def chat(self, talk: Talk) -> Iterator[str | Usage]:
        """Yield the answer to a question piece by piece, and at the end what it used.

        Closing the iterator ends the call. The words are the model's, unchecked.

        Raises:
            ProviderBusy: too many requests.
            ProviderUnavailable: quota, time-out, 5xx or an answer cut short.
            ProviderAuthError: the key is wrong.
            ProviderError: the provider refuses, or the model gave the label of its
                material away, which it only does when it obeys the material.
        """


LanguageModelFactory = Callable[[str | None, str | None], LanguageModel]
"""Provider and model (None: as the settings say) to a language model."""

PROVIDERS = ("extractive", "openai", "gemini", "vertex")


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
    if variable := missing(settings, name):
        raise BadRequest(
            f"Provider '{name}' is not configured: set {variable}.",
            code="provider_not_configured",
        )
    return name


def missing(settings: Settings, provider: str) -> str | None:
    """Return the variable that a provider lacks, None if it has all it needs."""
    google_key = settings.gemini_api_key or settings.google_api_key
    needed: dict[str, tuple[str, object]] = {
        "openai": ("OPENAI_API_KEY", settings.openai_api_key),
        "gemini": ("GEMINI_API_KEY", google_key),
        "vertex": ("GOOGLE_CLOUD_PROJECT", settings.google_cloud_project),
    }
    if provider == "vertex" and not settings.vertex:
        return "PEGASUS_VERTEX"
    variable, value = needed.get(provider, ("", "nothing is needed"))
    return None if value else variable


def configured_model(settings: Settings, provider: str) -> str:
    """Return the model of a provider that is used when a request names none.

    ``PLC_LLM_MODEL`` says nothing about a provider that it was not set for.
    """
    ours = settings.llm_model if settings.llm_provider == provider else None
    older = settings.openai_model if provider == "openai" else None
    return ours or older or default_model(provider)


def default_model(provider: str) -> str:
    """Return the model of a provider that is used when nobody names one."""
    if provider in {"gemini", "vertex"}:
        return catalog.DEFAULT_GEMINI_MODEL
    return catalog.DEFAULT_CHAT_MODEL


def from_settings(settings: Settings) -> LanguageModelFactory:
    """Return the factory of models; each is made once, when first asked for."""

    @cache
    def make(provider: str, model: str | None) -> LanguageModel:
        match provider:
            case "openai":
                from common.providers.llm.openai import openai_model

                return openai_model(settings, model)
            case "gemini":
                from common.providers.llm.gemini import gemini_model

                return gemini_model(settings, model)
            case "vertex":
                from common.providers.llm.gemini import vertex_model

                return vertex_model(settings, model)
            case _:
                from common.providers.llm.extractive import ExtractiveModel

                return ExtractiveModel()

    def llm(provider: str | None, model: str | None) -> LanguageModel:
        return make(canonical(provider or settings.llm_provider), model)

    return llm
