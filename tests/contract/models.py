"""How each language model is built in a test, and spoken to."""

import json
import time
from contextlib import contextmanager

import pytest

from common.providers.llm import from_settings
from common.providers.llm.gemini import GeminiChat
from common.providers.llm.openai import OpenAIChat
from common.providers.llm.prompted import PromptedModel
from common.settings import Settings
from tests.loopback import gemini_server, openai_server
from tests.loopback.gcs_signing import Account

KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


def settings_of(**values):
    """Return settings in which nothing but these values is set."""
    return Settings(
        DATABASE_URL="postgresql+pg8000://nobody@127.0.0.1/none",
        PEGASUS_INTERNAL_SECRET="s" * 32,
        **values,
    )


def settings_for(provider, server):
    """Return settings with which a provider asks this server."""
    match provider:
        case "openai":
            return settings_of(
                OPENAI_API_KEY=openai_server.KEY, OPENAI_BASE_URL=server.url
            )
        case "gemini":
            return settings_of(
                GEMINI_API_KEY=gemini_server.KEY, PEGASUS_GEMINI_BASE_URL=server.url
            )
        case "vertex":
            return settings_of(
                GOOGLE_CLOUD_PROJECT=gemini_server.PROJECT,
                GOOGLE_CLOUD_LOCATION="europe-west4",
                PEGASUS_GEMINI_BASE_URL=server.url,
            )
        case _:
            return settings_of()


@contextmanager
def key_file(folder, url):
    """Be a service account of Google's, whose tokens come from ``url``."""
    path = folder / "key.json"
    path.write_text(json.dumps(Account(time.time).credentials(url)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_FILE, str(path))
        yield


@contextmanager
def language_model(provider, settings, name=None):
    """Make a model as the worker does; its connections end with the test."""
    model = from_settings(settings)(provider, name)
    yield model
    if isinstance(model, PromptedModel):
        for call in (model.complete, model.stream):
            match getattr(call, "__self__", None):
                case OpenAIChat() as chat:
                    chat.client.close()
                case GeminiChat() as chat:
                    chat.account.close()
