"""Study material by Google's Gemini, with an API key or on Google Cloud."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.genai.types import (
    Content,
    GenerateContentConfig,
    GenerateContentResponse,
    Part,
)
from pydantic import BaseModel

from common.errors import BadRequest, ProviderError, ProviderUnavailable
from common.prompts import prompt
from common.providers import catalog
from common.providers.gemini_client import (
    GeminiAccount,
    ask,
    by_key,
    by_project,
    listen,
)
from common.providers.llm import LanguageModel, Reply, configured_model
from common.providers.llm.chatting import ANSWER_TOKENS
from common.providers.llm.prompted import PromptedModel
from common.providers.llm.schema import without_required_cycles
from common.settings import Settings
from common.talk import Turn
from common.transcript import Engine
from common.usage import Usage

# Nothing is sent before the whole answer is written: some 10,000 tokens at 50 a
# second, and thoughts before them. Below the ten minutes of one worker request.
_READ_SECONDS = 480

_CHAT_SECONDS = 60  # until the first word, and between two: people wait for them

# Twice the longest answer, because thoughts count; half of what the models can.
_ANSWER_TOKENS = 32_768

_ROLES = {"user": "user", "assistant": "model"}

_NAME = re.compile(r"[A-Za-z0-9](?:[\w@/-]|\.(?!\.))*")  # it becomes a part of a URL

# Whoever asks again gets the same: the model, or a filter, will not say it.
_BLOCKED = {
    "BLOCKLIST",
    "ESCALATION",
    "LANGUAGE",
    "MODEL_ARMOR",
    "PROHIBITED_CONTENT",
    "PUP_LIMITED_DISABLED",
    "SAFETY",
    "SPII",
}


class _Part(BaseModel):
    text: str | None = None
    thought: bool = False


class _Content(BaseModel):
    parts: list[_Part] | None = None


class _Candidate(BaseModel):
    content: _Content | None = None
    finishReason: str | None = None


class _Feedback(BaseModel):
    blockReason: str | None = None


class _Used(BaseModel):
    promptTokenCount: int = 0
    toolUsePromptTokenCount: int = 0
    candidatesTokenCount: int = 0
    thoughtsTokenCount: int = 0


class _Answer(BaseModel):
    candidates: list[_Candidate] | None = None
    promptFeedback: _Feedback | None = None
    usageMetadata: _Used | None = None


def gemini_model(settings: Settings, model: str | None) -> LanguageModel:
    """Return the language model behind an API key; ``model`` None: the configured one.

    Raises:
        BadRequest: no key is set, or the model cannot be a name.
    """
    return _prompted(settings, "gemini", model, by_key)


def vertex_model(settings: Settings, model: str | None) -> LanguageModel:
    """Return the language model of a project; ``model`` None: the configured one.

    Raises:
        BadRequest: no project is set, or the model cannot be a name.
    """
    return _prompted(settings, "vertex", model, by_project)


def _prompted(
    settings: Settings,
    provider: str,
    model: str | None,
    account: Callable[..., GeminiAccount],
) -> LanguageModel:
    chosen = catalog.chat_model(model or configured_model(settings, provider))
    if not _NAME.fullmatch(chosen.name):
        raise BadRequest("This is not the name of a model.", code="model_unknown")
    writer = GeminiChat(account(settings, read_seconds=_READ_SECONDS), chosen)
    talker = GeminiChat(account(settings, read_seconds=_CHAT_SECONDS), chosen)
    return PromptedModel(
        Engine(provider, chosen.name),
        writer.complete,
        talker.stream,
        chosen,
        _ANSWER_TOKENS,
    )


@dataclass(frozen=True, slots=True)
class GeminiChat:
    """Ask one model of one account."""

    account: GeminiAccount
    model: catalog.Model

    def complete(
        self,
        system: str,
        user: str,
        schema: dict[str, Any],
        schema_name: str,  # noqa: ARG002 - a schema has no name here
    ) -> Reply:
        """Return the JSON object that the model answers, held to ``schema``."""
        answer = self._asked(system, user, schema)
        document = _document(answer, self.account.provider)
        return Reply(document, self._usage(answer.usageMetadata or _Used()))

    def stream(self, system: str, turns: Sequence[Turn]) -> Iterator[str | Usage]:
        """Yield the model's answer in words, and at the end what it used."""
        said = [
            Content(role=_ROLES[turn.role], parts=[Part(text=turn.text)])
            for turn in turns
        ]
        config = GenerateContentConfig(
            system_instruction=system, max_output_tokens=ANSWER_TOKENS
        )
        used, finished = _Used(), False
        for chunk in listen(self.account, self.model.name, said, config):
            heard = _Answer.model_validate(_document_of(chunk))
            used = heard.usageMetadata or used
            text, ends = _heard(heard, self.account.provider)
            finished = finished or ends
            if text:
                yield text
        if not finished:
            raise ProviderUnavailable(
                f"{self.account.provider}: the answer is cut short."
            )
        yield self._usage(used)

    def _asked(self, system: str, user: str, schema: dict[str, Any]) -> _Answer:
        loose = without_required_cycles(schema)
        try:
            return self._create(system, user, response_json_schema=loose)
        except ProviderError as exc:
            if not _refuses_schema(exc):
                raise
        told = prompt("plain_json_v1", system=system, schema=json.dumps(schema))
        return self._create(told, user)

    def _create(self, system: str, user: str, **form: Any) -> _Answer:  # noqa: ANN401
        config = GenerateContentConfig(
            system_instruction=system,
            max_output_tokens=_ANSWER_TOKENS,
            response_mime_type="application/json",
            **form,
        )
        return ask(self.account, self.model.name, user, config, _Answer)

    def _usage(self, used: _Used) -> Usage:
        read = used.promptTokenCount + used.toolUsePromptTokenCount
        written = used.candidatesTokenCount + used.thoughtsTokenCount
        return Usage(
            self.account.provider,
            self.model.name,
            input_tokens=read,
            output_tokens=written,
            cost_usd_micros=self.model.cost_usd_micros(
                input_tokens=read, output_tokens=written
            ),
        )


def _document_of(chunk: GenerateContentResponse) -> dict[str, Any]:
    return chunk.model_dump(mode="json", by_alias=True, exclude_none=True)


def _heard(chunk: _Answer, provider: str) -> tuple[str, bool]:
    """Return the words in one piece of an answer, and whether it is the last one.

    Raises:
        ProviderError: it is blocked.
    """
    if chunk.promptFeedback and chunk.promptFeedback.blockReason:
        raise _refused(provider, chunk.promptFeedback.blockReason)
    if not chunk.candidates:
        return "", False
    candidate = chunk.candidates[0]
    if candidate.finishReason in _BLOCKED:
        raise _refused(provider, candidate.finishReason)
    return _text(candidate), candidate.finishReason is not None


def _refuses_schema(exc: ProviderError) -> bool:
    """Tell whether the request was refused for its schema: too deep, or unknown."""
    text = str(exc).lower()
    refused = exc.code == "provider_rejected" and "http 400" in text
    return refused and ("schema" in text or "nesting depth" in text)


def _document(answer: _Answer, provider: str) -> dict[str, Any]:
    """Return the JSON object in the answer.

    Raises:
        ProviderUnavailable: it is cut short; another try may be shorter.
        ProviderError: it is blocked, or something else than an object.
    """
    if answer.promptFeedback and answer.promptFeedback.blockReason:
        raise _refused(provider, answer.promptFeedback.blockReason)
    if not answer.candidates:
        raise ProviderUnavailable(f"{provider}: the answer is empty.")
    candidate = answer.candidates[0]
    if candidate.finishReason in _BLOCKED:
        raise _refused(provider, candidate.finishReason)
    if candidate.finishReason not in {"STOP", None}:
        # By the limit of tokens, or because it recites something: it may not next time.
        raise ProviderUnavailable(f"{provider}: the answer stops short.")
    try:
        document = json.loads(_text(candidate))
    except (ValueError, RecursionError):
        raise ProviderUnavailable(
            f"{provider}: the model's JSON is cut short."
        ) from None
    if not isinstance(document, dict):
        raise ProviderError(
            f"{provider}: the model does not answer with an object.",
            code="provider_schema",
        )
    return document


def _refused(provider: str, reason: str) -> ProviderError:
    word = reason if reason.isalpha() or "_" in reason else "?"
    return ProviderError(
        f"{provider}: the model refuses to answer ({word[:30]}).",
        code="provider_refused",
    )


def _text(candidate: _Candidate) -> str:
    """Return what the model says, without its thoughts."""
    parts = (candidate.content and candidate.content.parts) or []
    return "".join(part.text or "" for part in parts if not part.thought)
