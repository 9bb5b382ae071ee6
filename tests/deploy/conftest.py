"""One provider for all; one stack per environment."""

from pathlib import Path

import pytest

from tests.deploy.terraform import Provider, build, variables

EVERYTHING = {
    "api_is_public": "true",
    "api_min_instances": "1",
    "alert_email": '"operator@example.org"',
    "billing_account": '"012345-6789AB-CDEF01"',
    "cors_origins": '["https://app.example.org"]',
    "daily_provider_budget_usd": "5",
    "domain": '"lectures.example.org"',
    "llm_provider": '"vertex"',
    "secret_versions": (
        '{ PLC_WRITE_API_TOKEN = "2", PEGASUS_OLD_WRITE_API_TOKEN = "1",'
        ' PLC_READ_API_TOKEN = "1", OPENAI_API_KEY = "1", GEMINI_API_KEY = "1" }'
    ),
}


@pytest.fixture(scope="session")
def provider():
    with Provider() as started:
        yield started


@pytest.fixture(scope="session")
def prod(provider, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("prod")
    return build(provider, folder, variables("prod"))


@pytest.fixture(scope="session")
def staging(provider, tmp_path_factory):
    return build(provider, tmp_path_factory.mktemp("staging"), variables("staging"))


@pytest.fixture(scope="session")
def everything(provider, tmp_path_factory):
    """Production with every switch on."""
    given = variables("prod", EVERYTHING)
    return build(provider, tmp_path_factory.mktemp("everything"), given)
