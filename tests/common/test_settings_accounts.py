"""Where people log in: what must be set, and what is too weak for production."""

import pytest
from pydantic import SecretStr

from common import settings
from common.local.secret_key import secret_key
from common.settings import InvalidEnvironment
from tests.common.job_steps import together
from tests.common.test_settings import KEY, URL, environment, problems

STRONG = "k3Yf0rT3sts-" + "0123456789abcdef" * 2
WEAK = "must be 32 random characters in production."
GOOGLE = {
    "PEGASUS_IDENTITY": "google",
    "PEGASUS_TASKS_SERVICE_ACCOUNT": "t@p.iam.gserviceaccount.com",
    "PEGASUS_SCHEDULER_SERVICE_ACCOUNT": "s@p.iam.gserviceaccount.com",
    "PEGASUS_EVENTS_SERVICE_ACCOUNT": "e@p.iam.gserviceaccount.com",
}
__all__ = ["environment"]


def set_all(environment, variables):
    for name, value in variables.items():
        environment.setenv(name, value)


@pytest.mark.parametrize(
    "secret",
    [
        *("secret", "change-me", "x" * 31, "x" * 64, "ab" * 40, "0" * 32),
        *("your-secret-key-here", "SECRET_KEY", "012345678" * 4),
    ],
)
@pytest.mark.parametrize("where", [{"ENVIRONMENT": "production"}, GOOGLE])
def test_a_weak_secret_ends_the_start_in_production(environment, where, secret):
    set_all(environment, where | {"SECRET_KEY": secret, "ADMIN_TOKEN": secret})
    assert problems() == [f"- SECRET_KEY {WEAK}", f"- ADMIN_TOKEN {WEAK}"]


@pytest.mark.parametrize("word", ["production", " Production ", "prod", "live"])
def test_what_is_not_a_laptop_is_production(environment, word):
    set_all(environment, {"ENVIRONMENT": word, "SECRET_KEY": "weak"})
    assert problems() == [f"- SECRET_KEY {WEAK}"]


@pytest.mark.parametrize("word", ["local", "staging", "LOCAL", ""])
def test_a_laptop_may_have_any_secret(environment, word):
    set_all(environment, {"ENVIRONMENT": word, "SECRET_KEY": "weak"})
    assert settings.load("api").secret_key == SecretStr("weak")


def test_a_strong_one_starts(environment):
    set_all(environment, {"ENVIRONMENT": "production", "SECRET_KEY": STRONG})
    assert settings.load("api").secret_key == SecretStr(STRONG)


@pytest.mark.parametrize(
    "wants_accounts",
    [
        {"ENVIRONMENT": "production"},
        {"GOOGLE_CLIENT_ID": "1.apps.googleusercontent.com"},
        {"ADMIN_TOKEN": STRONG},
        {"VIDWIZ_INTERNAL_API_ADMIN_TOKEN": STRONG},
    ],
)
def test_without_a_secret_key_the_api_does_not_start_where_people_log_in(
    environment, wants_accounts
):
    set_all(environment, wants_accounts)
    assert problems() == ["- SECRET_KEY must be set where people log in."]
    environment.setenv("SECRET_KEY", " ")
    assert problems() == ["- SECRET_KEY must be set where people log in."]
    assert settings.load("worker")  # which knows nobody
    environment.setenv("SECRET_KEY", STRONG)
    assert settings.load("api")


def test_a_deployment_without_accounts_needs_none(environment):
    set_all(environment, GOOGLE)
    assert settings.load("api").secret_key is None


def test_no_secret_is_shown(environment):
    set_all(environment, {"ENVIRONMENT": "production", "SECRET_KEY": "hidden-word"})
    with pytest.raises(InvalidEnvironment) as failure:
        settings.load("api")
    assert "hidden-word" not in str(failure.value)


def test_the_database_has_two_names(environment):
    environment.setenv("DB_URL", "postgresql://other/db")
    assert settings.load("api").database_url.get_secret_value() == URL
    environment.setenv("DATABASE_URL", "")
    loaded = settings.load("api")
    assert loaded.database_url.get_secret_value() == "postgresql://other/db"
    environment.delenv("DATABASE_URL")
    assert settings.load("api").database_url.get_secret_value() == (
        "postgresql://other/db"
    )
    environment.setenv("DB_URL", "sqlite:///./vidwiz.db")
    assert problems() == ["- DATABASE_URL must be a PostgreSQL URL."]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"ADMIN_TOKEN": "a"}, ["a"]),
        ({"VIDWIZ_INTERNAL_API_ADMIN_TOKEN": "b"}, ["b"]),
        ({"ADMIN_TOKEN": "a", "VIDWIZ_INTERNAL_API_ADMIN_TOKEN": "b"}, ["a", "b"]),
        ({"ADMIN_TOKEN": "a", "PEGASUS_OLD_ADMIN_TOKEN": "o"}, ["a", "o"]),
        ({"PEGASUS_OLD_ADMIN_TOKEN": "o"}, []),
    ],
)
def test_two_admin_tokens_let_in_while_helpers_change_over(
    environment, given, expected
):
    set_all(environment, given | {"SECRET_KEY": KEY})
    tokens = settings.load("api").admin_tokens
    assert [token.get_secret_value() for token in tokens] == expected


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, True),
        ({"ENVIRONMENT": "staging"}, True),
        ({"ENVIRONMENT": "production"}, False),
        ({"ENVIRONMENT": "production", "PEGASUS_DOCS": "on"}, True),
        (GOOGLE, False),
        (GOOGLE | {"PEGASUS_DOCS": "on"}, True),
    ],
)
def test_who_may_read_about_the_api(environment, given, shown):
    set_all(environment, given | {"SECRET_KEY": STRONG})
    assert settings.load("api").shows_documentation is shown


def test_the_quotas_of_a_day(environment):
    loaded = settings.load("api")
    assert (loaded.wiz_user_daily_quota, loaded.wiz_guest_daily_quota) == (20, 5)
    environment.setenv("WIZ_GUEST_DAILY_QUOTA", "0")
    assert problems() == ["- WIZ_GUEST_DAILY_QUOTA must be a positive integer."]


def test_a_laptop_makes_its_own_key_once(tmp_path):
    home = tmp_path / "home"
    keys = {*together(*[lambda: secret_key(home)] * 8)}
    assert len(keys) == 1
    [key] = keys
    assert len(key) == 64
    assert secret_key(home) == key
    assert secret_key(tmp_path / "other") != key
    file = home / "secret_key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir()] == ["secret_key"]
