"""One provider for all; one stack per environment."""

import json
from pathlib import Path

import pytest

from tests.deploy.terraform import Provider, build, variables

# Settings that Terraform has no variable for.
MORE = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://telemetry.example.org",
    "PEGASUS_TRACING": "on",
    "PLC_GCP_STT_MODEL": "chirp_2",
    "PLC_LLM_MODEL": "gemini-of-tomorrow",
    "PLC_MAX_AUDIO_UPLOAD_MB": "500",
    "PLC_STT_LANGUAGE": "de-DE",
    "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": "120",
}
EVERYTHING = {
    "api_is_public": "true",
    "api_min_instances": "1",
    "alert_email": '"operator@example.org"',
    "billing_account": '"012345-6789AB-CDEF01"',
    "cors_origins": '["https://app.example.org"]',
    "daily_provider_budget_usd": "5",
    "database_connection_name": '"lectures-test:europe-west4:pegasus-restored"',
    "domain": '"lectures.example.org"',
    "extra_environment": json.dumps(MORE).replace('":', '" ='),
    "llm_provider": '"vertex"',
    "speech_location": '"eu"',
    "vertex_location": '"europe-west1"',
    "secret_versions": (
        '{ PLC_WRITE_API_TOKEN = "2", PEGASUS_OLD_WRITE_API_TOKEN = "1",'
        ' PLC_READ_API_TOKEN = "1", SECRET_KEY = "1", ADMIN_TOKEN = "1",'
        ' OPENAI_API_KEY = "1", GEMINI_API_KEY = "1" }'
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
