"""Who people are, and how much each of them may ask for."""

from typing import Literal

from pydantic import SecretStr, ValidationInfo, field_validator

from common.settings.google_cloud import GoogleCloud
from common.settings.kinds import Positive, Secret, Word, env, problem

_SECRET_LENGTH = 32  # characters: a key of HS256 is as long as its hash at least
_DISTINCT = 10  # even 32 random hex digits have this many different ones
_SHOWN_IN = ("local", "staging")  # where the API may be read about


class Accounts(GoogleCloud):
    """A part of ``Settings``: the variables that operators of VidWiz know."""

    environment: str = env("ENVIRONMENT", "local")
    docs: Literal["", "on"] = env("PEGASUS_DOCS", "")  # on: in production, too
    db_url: SecretStr = env("DB_URL", SecretStr(""))  # unless DATABASE_URL is set

    # Accounts
    secret_key: Secret = env("SECRET_KEY", None)  # signs what people log in with
    jwt_expiry_hours: Positive = env("JWT_EXPIRY_HOURS", 24)
    google_client_id: Word = env("GOOGLE_CLIENT_ID", None)
    login_rate_limit: Positive = env("PEGASUS_LOGIN_RATE_LIMIT", 10)  # in 5 minutes

    # Helpers outside: both names are known, and both tokens let in
    admin_token: Secret = env("ADMIN_TOKEN", None)
    internal_admin_token: Secret = env("VIDWIZ_INTERNAL_API_ADMIN_TOKEN", None)
    old_admin_token: Secret = env("PEGASUS_OLD_ADMIN_TOKEN", None)

    # Who writes the notes that people leave empty: our worker, or who hears our events
    ai_notes: Literal["jobs", "events"] = env("PEGASUS_AI_NOTES", "jobs")

    # Wiz: questions in a day, UTC
    wiz_user_daily_quota: Positive = env("WIZ_USER_DAILY_QUOTA", 20)
    wiz_guest_daily_quota: Positive = env("WIZ_GUEST_DAILY_QUOTA", 5)
    # Of all guests of one address: who sends another session id is no other person
    wiz_address_daily_quota: Positive = env("PEGASUS_WIZ_ADDRESS_DAILY_QUOTA", 50)

    @field_validator("environment", mode="after")
    @classmethod
    def _environment_is_a_word(cls, value: str) -> str:
        return value.strip().lower() or "local"

    @field_validator("secret_key", "admin_token", "internal_admin_token")
    @classmethod
    def _production_has_strong_secrets(
        cls, value: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if value is not None and _in_production(info) and _is_weak(value):
            raise problem(f"must be {_SECRET_LENGTH} random characters in production.")
        return value

    @property
    def admin_tokens(self) -> list[SecretStr]:
        """What lets helpers in: an old token only beside its successor."""
        new = [t for t in (self.admin_token, self.internal_admin_token) if t]
        return [*new, self.old_admin_token] if new and self.old_admin_token else new

    @property
    def needs_secret_key(self) -> bool:
        """Whether people are to log in here, and nobody could be told from another.

        In a deployment that says nothing of accounts there are none.
        """
        named = self.google_client_id or self.admin_tokens
        wanted = named or self.environment not in _SHOWN_IN
        return self.secret_key is None and bool(wanted)

    @property
    def shows_documentation(self) -> bool:
        """Whether strangers may read what the API can do."""
        private = self.identity != "google" and self.environment in _SHOWN_IN
        return self.docs == "on" or private


def _in_production(info: ValidationInfo) -> bool:
    deployed = info.data.get("identity") == "google"
    return deployed or info.data.get("environment") not in _SHOWN_IN


def _is_weak(secret: SecretStr) -> bool:
    """Return whether a secret could be guessed, or was taken from an example."""
    text = secret.get_secret_value()
    return len(text) < _SECRET_LENGTH or len(set(text)) < _DISTINCT
