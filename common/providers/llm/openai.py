"""Study material by OpenAI, or by any server that speaks its Chat Completions."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from openai import BadRequestError, OpenAI, Stream, UnprocessableEntityError
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

from common.errors import ProviderError, ProviderUnavailable
from common.prompts import prompt
from common.providers import catalog
from common.providers.llm import LanguageModel, Reply, configured_model
from common.providers.llm.prompted import PromptedModel
from common.providers.openai_client import RawReply, ask, listen, openai_client
from common.settings import Settings
from common.talk import Turn
from common.transcript import Engine
from common.usage import Usage

# Nothing is sent before the whole answer is written: some 10,000 tokens at 50 a
# second, and reasoning before them. Below the ten minutes of one worker request.
_READ_SECONDS = 480
_CHAT_SECONDS = 60  # until the first word, and between two: people wait for them


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Used(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(BaseModel):
    choices: list[_Choice]
    usage: _Used | None = None


class _Delta(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _PartOfChoice(BaseModel):
    delta: _Delta
    finish_reason: str | None = None


class _PartOfAnswer(BaseModel):
    choices: list[_PartOfChoice] = []
    usage: _Used | None = None


def openai_model(settings: Settings, model: str | None) -> LanguageModel:
    """Return the language model; ``model`` None means the configured one.

    Raises:
        BadRequest: no key is set.
    """
    chosen = catalog.chat_model(model or configured_model(settings, "openai"))
    writer = OpenAIChat(openai_client(settings, read_seconds=_READ_SECONDS), chosen)
    talker = OpenAIChat(openai_client(settings, read_seconds=_CHAT_SECONDS), chosen)
    return PromptedModel(
        Engine("openai", chosen.name), writer.complete, talker.stream, chosen
    )


@dataclass(frozen=True, slots=True)
class OpenAIChat:
    """Ask one model of one account.

    Chat Completions, because that is what servers with another base URL speak.
    """

    client: OpenAI
    model: catalog.Model

    def complete(
        self, system: str, user: str, schema: dict[str, Any], schema_name: str
    ) -> Reply:
        """Return the JSON object that the model answers, held to ``schema``."""

        def send() -> RawReply:
            try:
                return self._create(system, user, _schema_format(schema, schema_name))
            except (BadRequestError, UnprocessableEntityError) as exc:
                if not _knows_no_schema(exc):
                    raise
            told = prompt("plain_json_v1", system=system, schema=json.dumps(schema))
            return self._create(told, user, {"type": "json_object"})

        answer = ask(self.client, send, _Answer)
        return Reply(_document(answer), self._usage(answer.usage or _Used()))

    def stream(self, system: str, turns: Sequence[Turn]) -> Iterator[str | Usage]:
        """Yield the model's answer in words, and at the end what it used."""
        messages: list[Any] = [{"role": "system", "content": system}]
        messages += [{"role": turn.role, "content": turn.text} for turn in turns]

        def send() -> Stream[ChatCompletionChunk]:
            return self.client.chat.completions.create(
                model=self.model.name,
                messages=messages,
                stream=True,
                stream_options={"include_usage": True},
            )

        used, finished = _Used(), False
        for part in listen(self.client, send, _PartOfAnswer):
            used = part.usage or used
            for choice in part.choices[:1]:
                finished = finished or _ends(choice)
                if choice.delta.content:
                    yield choice.delta.content
        if not finished:
            raise ProviderUnavailable("openai: the answer is cut short.")
        yield self._usage(used)

    def _create(self, system: str, user: str, form: Any) -> RawReply:  # noqa: ANN401
        # No temperature and no limit of tokens: reasoning models refuse the one,
        # and servers do not agree on the name of the other.
        return self.client.chat.completions.with_raw_response.create(
            model=self.model.name,
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            response_format=form,
        )

    def _usage(self, used: _Used) -> Usage:
        return Usage(
            "openai",
            self.model.name,
            input_tokens=used.prompt_tokens,
            output_tokens=used.completion_tokens,
            cost_usd_micros=self.model.cost_usd_micros(
                input_tokens=used.prompt_tokens, output_tokens=used.completion_tokens
            ),
        )


def _schema_format(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": schema},
    }


def _knows_no_schema(exc: BadRequestError | UnprocessableEntityError) -> bool:
    text = json.dumps(exc.body, default=str)
    return "response_format" in text or "json_schema" in text


def _document(answer: _Answer) -> dict[str, Any]:
    """Return the JSON object in the answer.

    Raises:
        ProviderUnavailable: it is cut short; another try may be shorter.
        ProviderError: the model refuses, or answers something else.
    """
    if not answer.choices:
        raise ProviderUnavailable("openai: the answer is empty.")
    choice = answer.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise ProviderError(
            "openai: the model refuses to answer.", code="provider_refused"
        )
    try:
        document = json.loads(_without_fence(choice.message.content or ""))
    except (ValueError, RecursionError):
        raise ProviderUnavailable("openai: the model's JSON is cut short.") from None
    if not isinstance(document, dict):
        raise ProviderError(
            "openai: the model does not answer with an object.", code="provider_schema"
        )
    return document


def _ends(choice: _PartOfChoice) -> bool:
    """Tell whether this is the last piece of an answer.

    Raises:
        ProviderError: the model refuses.
    """
    if choice.delta.refusal or choice.finish_reason == "content_filter":
        raise ProviderError(
            "openai: the model refuses to answer.", code="provider_refused"
        )
    return choice.finish_reason is not None


def _without_fence(text: str) -> str:
    """Return what is inside a Markdown code fence, or the text if there is none."""
    text = text.strip()
    if not text.startswith("```"):
        return text
    return text.partition("\n")[2].removesuffix("```")
