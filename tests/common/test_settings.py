"""Configuration: defaults, and what is wrong with it, all at once."""

from typing import Any

import pytest
from pydantic import ValidationError

from common import settings
from common.settings import InvalidEnvironment, Settings

URL = "postgresql://pegasus:hidden-word@db.example/pegasus"
KEY = "k" * 32

DEFAULTS = {
    "PEGASUS_DATABASE_POOL_SIZE": 10,
    "REDIS_URL": None,
    "STORAGE_MODE": "local",
    "PLC_STORAGE_DIR": "storage",
    "S3_BUCKET": None,
    "S3_PREFIX": "pegasus",
    "S3_ENDPOINT_URL": None,
    "AWS_REGION": None,
    "S3_REGION": None,
    "GCS_BUCKET": None,
    "GCS_PREFIX": "pegasus",
    "PLC_INLINE_JOBS": False,
    "PEGASUS_QUEUE_URL": "http://127.0.0.1:8082",
    "PEGASUS_WORKER_URL": "http://127.0.0.1:8081",
    "PEGASUS_LEASE_SECONDS": 60,
    "PLC_INGEST_TRANSCRIBE_PROVIDER": None,
    "PLC_INGEST_TRANSCRIBE_MODEL": None,
    "PLC_STT_LANGUAGE": "en-US",
    "PLC_GCP_STT_MODEL": "latest_long",
    "PLC_LLM_PROVIDER": None,
    "PLC_LLM_MODEL": None,
    "OPENAI_MODEL": None,
    "OPENAI_API_KEY": None,
    "OPENAI_BASE_URL": None,
    "PLC_CHAT_MODEL": None,
    "GEMINI_API_KEY": None,
    "GOOGLE_API_KEY": None,
    "PLC_MAX_AUDIO_UPLOAD_MB": 200,
    "PLC_MAX_PDF_UPLOAD_MB": 50,
    "PLC_EXPORT_MIN_SUMMARY_SECTIONS": 1,
    "PLC_WRITE_API_TOKEN": None,
    "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": 60,
    "PLC_WRITE_RATE_LIMIT_WINDOW_SEC": 60,
    "PLC_IDEMPOTENCY_TTL_SEC": 3600,
    "PEGASUS_MAX_STREAMS": 300,
    "PLC_RETENTION_RAW_AUDIO_DAYS": 30,
    "PLC_RETENTION_TRANSCRIPT_DAYS": 14,
    "PEGASUS_PUBLIC_URL": "http://127.0.0.1:8080",
    "PLC_CORS_ORIGINS": "*",
}
BY_VARIABLE = {f.validation_alias: name for name, f in Settings.model_fields.items()}
POSITIVE = [
    *("PEGASUS_DATABASE_POOL_SIZE", "PEGASUS_LEASE_SECONDS"),
    *("PLC_MAX_AUDIO_UPLOAD_MB", "PLC_MAX_PDF_UPLOAD_MB"),
    *("PLC_WRITE_RATE_LIMIT_MAX_REQUESTS", "PLC_WRITE_RATE_LIMIT_WINDOW_SEC"),
    *("PLC_IDEMPOTENCY_TTL_SEC", "PEGASUS_MAX_STREAMS"),
]
NOT_NEGATIVE = [
    "PLC_EXPORT_MIN_SUMMARY_SECTIONS",
    *("PLC_RETENTION_RAW_AUDIO_DAYS", "PLC_RETENTION_TRANSCRIPT_DAYS"),
]
SECRETS = [
    *("DATABASE_URL", "PEGASUS_INTERNAL_SECRET", "OPENAI_API_KEY", "GEMINI_API_KEY"),
    *("GOOGLE_API_KEY", "PLC_WRITE_API_TOKEN", "REDIS_URL"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Only what a test sets, and the two variables without which nothing starts."""
    for name in BY_VARIABLE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("PEGASUS_INTERNAL_SECRET", KEY)
    return monkeypatch


def problems(service="api"):
    """Return the lines that an operator reads when the process does not start."""
    with pytest.raises(InvalidEnvironment) as failure:
        settings.load(service)
    first, *lines = str(failure.value).split("\n")
    assert first == f"Invalid runtime environment for {service}:"
    return lines


@pytest.mark.parametrize(("variable", "expected"), DEFAULTS.items())
def test_a_variable_that_is_not_set_has_its_default(variable, expected):
    value = getattr(settings.load("api"), BY_VARIABLE[variable])
    assert (str(value) if variable == "PLC_STORAGE_DIR" else value) == expected


def test_every_variable_that_clients_operators_have_is_known():
    assert set(DEFAULTS) | {"DATABASE_URL", "PEGASUS_INTERNAL_SECRET"} <= set(
        BY_VARIABLE
    )


@pytest.mark.parametrize("service", ["api", "worker", "migrate"])
def test_all_problems_are_told_together(environment, service):
    environment.setenv("DATABASE_URL", "  ")
    environment.setenv("STORAGE_MODE", "ftp")
    environment.setenv("PLC_WRITE_RATE_LIMIT_MAX_REQUESTS", "many")
    environment.setenv("PLC_WRITE_RATE_LIMIT_WINDOW_SEC", "0")
    environment.setenv("PLC_IDEMPOTENCY_TTL_SEC", "-1")
    environment.setenv("PLC_EXPORT_MIN_SUMMARY_SECTIONS", "-1")
    assert sorted(problems(service)) == [
        "- DATABASE_URL must be set.",
        "- PLC_EXPORT_MIN_SUMMARY_SECTIONS must be zero or greater.",
        "- PLC_IDEMPOTENCY_TTL_SEC must be a positive integer.",
        "- PLC_WRITE_RATE_LIMIT_MAX_REQUESTS must be an integer.",
        "- PLC_WRITE_RATE_LIMIT_WINDOW_SEC must be a positive integer.",
        "- STORAGE_MODE must be either 'local', 's3', or 'gcs'.",
    ]


def test_an_empty_environment_names_what_cannot_be_guessed(environment):
    environment.delenv("DATABASE_URL")
    environment.delenv("PEGASUS_INTERNAL_SECRET")
    assert problems() == [
        "- DATABASE_URL must be set.",
        "- PEGASUS_INTERNAL_SECRET must have at least 32 characters.",
    ]


@pytest.mark.parametrize("variable", POSITIVE)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "must be an integer."),
        ("1.5", "must be an integer."),
        ("0", "must be a positive integer."),
        ("-3", "must be a positive integer."),
    ],
)
def test_these_are_positive_integers(environment, variable, value, text):
    environment.setenv(variable, value)
    assert problems() == [f"- {variable} {text}"]


@pytest.mark.parametrize("variable", NOT_NEGATIVE)
@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "must be an integer."), ("-1", "must be zero or greater.")],
)
def test_these_are_zero_or_greater(environment, variable, value, text):
    environment.setenv(variable, value)
    assert problems() == [f"- {variable} {text}"]
    environment.setenv(variable, " 0 ")
    assert getattr(settings.load("api"), BY_VARIABLE[variable]) == 0


@pytest.mark.parametrize("value", ["1", "true", "YES", " on ", "True"])
def test_these_words_switch_on(environment, value):
    environment.setenv("PLC_INLINE_JOBS", value)
    assert settings.load("api").inline_jobs is True


@pytest.mark.parametrize("value", ["", "0", "false", "no", "off", "2", "enabled"])
def test_any_other_word_does_not(environment, value):
    environment.setenv("PLC_INLINE_JOBS", value)
    assert settings.load("api").inline_jobs is False


@pytest.mark.parametrize("value", ["LOCAL", "Local", "", "local "])
def test_the_storage_mode_is_case_sensitive(environment, value):
    environment.setenv("STORAGE_MODE", value)
    assert problems() == ["- STORAGE_MODE must be either 'local', 's3', or 'gcs'."]


@pytest.mark.parametrize(("mode", "label"), [("s3", "S3"), ("gcs", "GCS")])
def test_a_cloud_storage_needs_its_bucket_and_a_prefix(environment, mode, label):
    environment.setenv("STORAGE_MODE", mode)
    bucket = f"- {label}_BUCKET must be set for {label} storage."
    prefix = f"- {label}_PREFIX must be a non-empty path segment for {label} storage."
    assert problems() == [bucket]
    environment.setenv(f"{label}_PREFIX", " / ")
    assert problems() == [bucket]  # the first problem of a storage only
    environment.setenv(f"{label}_BUCKET", "media")
    assert problems() == [prefix]
    environment.setenv(f"{label}_PREFIX", "lectures")
    assert settings.load("api").storage_mode == mode


def test_another_modes_bucket_does_not_help(environment):
    environment.setenv("STORAGE_MODE", "s3")
    environment.setenv("GCS_BUCKET", "media")
    assert problems() == ["- S3_BUCKET must be set for S3 storage."]


@pytest.mark.parametrize(
    "value", ["sqlite:///x", "db.example", "mysql://a:hidden-word@b/c", "postgres://[x"]
)
def test_the_database_is_a_postgresql(environment, value):
    environment.setenv("DATABASE_URL", value)
    [line] = problems()
    assert line.startswith("- DATABASE_URL ")
    assert value not in line


def test_a_short_secret_is_refused_without_being_shown(environment):
    environment.setenv("PEGASUS_INTERNAL_SECRET", "hidden-word")
    assert problems() == ["- PEGASUS_INTERNAL_SECRET must have at least 32 characters."]


def test_no_message_shows_a_value(environment):
    for variable in BY_VARIABLE:
        environment.setenv(variable, "hidden-word")
    environment.setenv("PEGASUS_INTERNAL_SECRET", "hidden-word" * 9)
    assert "hidden-word" not in "\n".join(problems())


def test_the_error_behind_the_message_shows_no_value_either(environment):
    environment.setenv("PEGASUS_INTERNAL_SECRET", "hidden-word")
    with pytest.raises(ValidationError) as failure:
        Settings()
    assert "hidden-word" not in str(failure.value)


@pytest.mark.parametrize("variable", SECRETS)
@pytest.mark.parametrize("shown", [str, repr, lambda s: s.model_dump_json(), vars])
def test_a_secret_is_not_shown_with_the_settings(environment, variable, shown):
    value = "postgresql://x:hidden-word-0123456789-0123456789@h/x"
    environment.setenv(variable, value)
    assert "hidden-word" not in str(shown(settings.load("api")))


def test_a_secret_is_there_for_those_who_ask(environment):
    assert settings.load("api").database_url.get_secret_value() == URL


@pytest.mark.parametrize(
    "variable", ["OPENAI_API_KEY", "PLC_WRITE_API_TOKEN", "S3_BUCKET"]
)
def test_blank_is_absent(environment, variable):
    environment.setenv(variable, "  ")
    assert getattr(settings.load("api"), BY_VARIABLE[variable]) is None


def test_settings_do_not_change_once_they_are_read(environment):
    found: Any = settings.load("api")
    with pytest.raises(ValueError, match="frozen"):
        found.inline_jobs = True
    environment.setenv("PLC_INLINE_JOBS", "1")
    assert found.inline_jobs is False


def test_variables_that_nobody_knows_are_ignored(environment):
    environment.setenv("PLC_UNKNOWN", "x")
    assert settings.load("api")


def test_limits_are_given_in_mebibytes(environment):
    environment.setenv("PLC_MAX_AUDIO_UPLOAD_MB", "3")
    found = settings.load("api")
    assert found.max_audio_upload_bytes == 3 * 1024 * 1024
    assert found.max_pdf_upload_bytes == 50 * 1024 * 1024


@pytest.mark.parametrize(
    ("variables", "speech", "llm"),
    [
        ({}, "pocketsphinx", "extractive"),
        ({"OPENAI_API_KEY": "k"}, "openai", "openai"),
        ({"PLC_LLM_PROVIDER": "openai"}, "pocketsphinx", "openai"),
        (
            {"OPENAI_API_KEY": "k", "PLC_INGEST_TRANSCRIBE_PROVIDER": "pocketsphinx"},
            "pocketsphinx",
            "openai",
        ),
        (
            {"OPENAI_API_KEY": "k", "PLC_LLM_PROVIDER": "extractive"},
            "openai",
            "extractive",
        ),
    ],
)
def test_without_a_key_everything_works_offline(environment, variables, speech, llm):
    for name, value in variables.items():
        environment.setenv(name, value)
    found = settings.load("api")
    assert (found.speech_provider, found.llm_provider) == (speech, llm)


@pytest.mark.parametrize("blank", [None, "", " "])
def test_a_request_may_have_any_size_unless_told_otherwise(environment, blank):
    if blank is not None:
        environment.setenv("PEGASUS_MAX_REQUEST_MB", blank)
    assert settings.load("api").max_request_bytes is None


def test_a_request_may_have_what_the_platform_lets_through(environment):
    environment.setenv("PEGASUS_MAX_REQUEST_MB", "31")
    assert settings.load("api").max_request_bytes == 31 * 1024 * 1024
    environment.setenv("PEGASUS_MAX_REQUEST_MB", "0")
    assert problems() == ["- PEGASUS_MAX_REQUEST_MB must be a positive integer."]


@pytest.mark.parametrize(("word", "allowed"), [(None, True), ("off", False)])
def test_vertex_may_be_asked_for_unless_told_otherwise(environment, word, allowed):
    if word:
        environment.setenv("PEGASUS_VERTEX", word)
    assert settings.load("api").vertex is allowed
