"""All configuration, read from the environment once, at start-up.

Names and defaults are those of the Pegasus documents that clients' operators already
have; the variables of this project's own start with ``PEGASUS_``.
"""

from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from common.settings.accounts import Accounts
from common.settings.kinds import (
    Dollars,
    Limit,
    NotNegative,
    Positive,
    Secret,
    Switch,
    Word,
    env,
    problem,
)
from common.settings.projects import Projects

StorageMode = Literal["local", "s3", "gcs"]
Service = Literal["api", "worker", "migrate"]

_MIB = 1024 * 1024
_SECRET_LENGTH = 32  # characters: more than 128 bit even in hex


class InvalidEnvironment(SystemExit):
    """The process cannot start; the text lists every problem and no value."""


class Settings(Projects, Accounts):
    """One field per environment variable; a secret never has a default."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=False
    )

    # Database
    database_url: SecretStr = Field(SecretStr(""), validation_alias="DATABASE_URL")
    database_pool_size: Positive = env("PEGASUS_DATABASE_POOL_SIZE", 10)
    database_app_roles: str = env("PEGASUS_DATABASE_APP_ROLES", "")  # migrate's
    redis_url: Secret = env("REDIS_URL", None)  # accepted, unused: decision 0004

    # Storage
    storage_mode: StorageMode = env("STORAGE_MODE", "local")
    storage_dir: Path = env("PLC_STORAGE_DIR", Path("storage"))
    s3_bucket: Word = env("S3_BUCKET", None)
    s3_prefix: str = env("S3_PREFIX", "pegasus")
    s3_endpoint_url: Word = env("S3_ENDPOINT_URL", None)
    aws_region: Word = env("AWS_REGION", None)  # before S3_REGION
    s3_region: Word = env("S3_REGION", None)
    gcs_bucket: Word = env("GCS_BUCKET", None)
    gcs_prefix: str = env("GCS_PREFIX", "pegasus")

    # Jobs
    inline_jobs: Switch = env("PLC_INLINE_JOBS", False)
    queue_url: str = env("PEGASUS_QUEUE_URL", "http://127.0.0.1:8082")
    worker_url: str = env("PEGASUS_WORKER_URL", "http://127.0.0.1:8081")
    internal_secret: SecretStr = env("PEGASUS_INTERNAL_SECRET", SecretStr(""))
    lease_seconds: Positive = env("PEGASUS_LEASE_SECONDS", 60)

    # Speech
    ingest_transcribe_provider: Word = env("PLC_INGEST_TRANSCRIBE_PROVIDER", None)
    speech_model: Word = env("PLC_INGEST_TRANSCRIBE_MODEL", None)
    whisper_model: Word = env("PEGASUS_WHISPER_MODEL", None)  # a name or a folder
    stt_language: str = env("PLC_STT_LANGUAGE", "en-US")
    gcp_stt_model: str = env("PLC_GCP_STT_MODEL", "latest_long")

    # Language models
    plc_llm_provider: Word = env("PLC_LLM_PROVIDER", None)
    llm_model: Word = env("PLC_LLM_MODEL", None)
    openai_model: Word = env("OPENAI_MODEL", None)
    openai_api_key: Secret = env("OPENAI_API_KEY", None)
    openai_base_url: Word = env("OPENAI_BASE_URL", None)
    chat_model: Word = env("PLC_CHAT_MODEL", None)
    gemini_api_key: Secret = env("GEMINI_API_KEY", None)
    google_api_key: Secret = env("GOOGLE_API_KEY", None)
    daily_budget_usd: Dollars = env("PEGASUS_DAILY_BUDGET_USD", None)

    # Limits and rules
    max_audio_upload_mb: Positive = env("PLC_MAX_AUDIO_UPLOAD_MB", 200)
    max_pdf_upload_mb: Positive = env("PLC_MAX_PDF_UPLOAD_MB", 50)
    max_request_mb: Limit = env("PEGASUS_MAX_REQUEST_MB", None)  # of a form, with files
    export_min_summary_sections: NotNegative = env("PLC_EXPORT_MIN_SUMMARY_SECTIONS", 1)
    write_api_token: Secret = env("PLC_WRITE_API_TOKEN", None)
    read_api_token: Secret = env("PLC_READ_API_TOKEN", None)
    # Still accepted while clients change over to new ones
    old_write_api_token: Secret = env("PEGASUS_OLD_WRITE_API_TOKEN", None)
    old_read_api_token: Secret = env("PEGASUS_OLD_READ_API_TOKEN", None)
    trusted_proxy_hops: NotNegative = env("PEGASUS_TRUSTED_PROXY_HOPS", 0)
    write_rate_limit_max_requests: Positive = env(
        "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS", 60
    )
    write_rate_limit_window_sec: Positive = env("PLC_WRITE_RATE_LIMIT_WINDOW_SEC", 60)
    idempotency_ttl_sec: Positive = env("PLC_IDEMPOTENCY_TTL_SEC", 3600)
    max_streams: Positive = env("PEGASUS_MAX_STREAMS", 300)  # each takes a thread
    retention_raw_audio_days: NotNegative = env("PLC_RETENTION_RAW_AUDIO_DAYS", 30)
    retention_transcript_days: NotNegative = env("PLC_RETENTION_TRANSCRIPT_DAYS", 14)

    # The public face and the view from outside
    tracing: Switch = env("PEGASUS_TRACING", False)  # to OTEL_EXPORTER_OTLP_ENDPOINT
    job_success_word: Literal["completed", "succeeded"] = env(
        "PEGASUS_JOB_SUCCESS_WORD", "completed"
    )
    public_url: str = env("PEGASUS_PUBLIC_URL", "http://127.0.0.1:8080")
    cors_origins: str = env("PLC_CORS_ORIGINS", "*")

    @field_validator("database_url", mode="before")
    @classmethod
    def _database_is_named(cls, value: object, info: ValidationInfo) -> object:
        """Take the address under either of its names."""
        other: SecretStr = info.data["db_url"]
        found = value if str(value).strip() else other.get_secret_value()
        if not str(found).strip():
            raise problem("must be set.")
        if not _is_postgres_url(str(found)):
            raise problem("must be a PostgreSQL URL.")
        return found

    @field_validator("internal_secret", mode="after")
    @classmethod
    def _internal_calls_are_signed(
        cls, value: SecretStr, info: ValidationInfo
    ) -> SecretStr:
        if info.data.get("identity") == "google":  # the platform signs
            return value
        if len(value.get_secret_value()) < _SECRET_LENGTH:
            raise problem(f"must have at least {_SECRET_LENGTH} characters.")
        return value

    @field_validator("storage_mode", mode="before")
    @classmethod
    def _storage_mode_is_known(cls, value: object) -> object:
        if value not in get_args(StorageMode):
            raise problem("must be either 'local', 's3', or 'gcs'.")
        return value

    @field_validator("gcs_prefix", mode="after")
    @classmethod
    def _storage_is_complete(cls, _prefix: str, info: ValidationInfo) -> str:
        """Check bucket and prefix of the chosen mode; the last storage field does."""
        mode = info.data.get("storage_mode", "local")
        if mode == "local":
            return _prefix
        name, label = mode.upper(), mode.upper()
        prefix = _prefix if mode == "gcs" else info.data.get("s3_prefix", "")
        if not info.data.get(f"{mode}_bucket"):
            raise problem(f"{name}_BUCKET must be set for {label} storage.")
        if not prefix.strip().strip("/"):
            raise problem(
                f"{name}_PREFIX must be a non-empty path segment for {label} storage."
            )
        return _prefix

    @property
    def database_roles(self) -> list[str]:
        """Whom a migration lets read and write rows, beside the tables' owner."""
        return [r.strip() for r in self.database_app_roles.split(",") if r.strip()]

    @property
    def speech_provider(self) -> str:
        """The recogniser used when a request names none."""
        if self.ingest_transcribe_provider:
            return self.ingest_transcribe_provider
        return "openai" if self.openai_api_key else "pocketsphinx"

    @property
    def llm_provider(self) -> str:
        """The language model used when a request names none."""
        if self.plc_llm_provider:
            return self.plc_llm_provider
        return "openai" if self.openai_api_key else "extractive"

    @property
    def max_audio_upload_bytes(self) -> int:
        """Largest recording that the API takes."""
        return self.max_audio_upload_mb * _MIB

    @property
    def max_pdf_upload_bytes(self) -> int:
        """Largest document that the API takes."""
        return self.max_pdf_upload_mb * _MIB

    @property
    def max_request_bytes(self) -> int | None:
        """Largest form that what is in front of the API lets through; None: any."""
        return None if self.max_request_mb is None else self.max_request_mb * _MIB


def _is_postgres_url(value: str) -> bool:
    try:
        address = urlsplit(value)
        return address.scheme.startswith("postgres") and (address.port or 1) > 0
    except ValueError:  # a port that is no number
        return False


def load(service: Service, **instead: str) -> Settings:
    """Return the settings of this process.

    Args:
        service: for whom.
        instead: variables whose values come before those of the environment.

    Raises:
        InvalidEnvironment: with one line per problem.
    """
    try:
        found = Settings(**instead)  # type: ignore[arg-type]  # by the variables' names
    except ValidationError as exc:
        lines = "\n".join(_line(error) for error in exc.errors())
        raise _invalid(service, lines) from None
    if service == "api" and found.needs_secret_key:
        raise _invalid(service, "- SECRET_KEY must be set where people log in.")
    return found


def _invalid(service: Service, lines: str) -> InvalidEnvironment:
    return InvalidEnvironment(f"Invalid runtime environment for {service}:\n{lines}")


def _line(error: ErrorDetails) -> str:
    """Say what is wrong without showing the value, which may be a secret."""
    text = error["msg"] if error["type"] == "environment" else "is not valid."
    if text.split(" ", 1)[0].isupper():  # it names its variable itself
        return f"- {text}"
    return f"- {_variable(str(error['loc'][0]))} {text}"


def _variable(location: str) -> str:
    """Return the variable's name; a field that failed by its default has its own."""
    field = Settings.model_fields.get(location)
    return str(field.validation_alias) if field else location
