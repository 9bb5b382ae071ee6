"""The API with other settings, and the tokens that open it."""

from dataclasses import replace

from pydantic import SecretStr

WRITE_TOKEN = "write-" + "w" * 30
READ_TOKEN = "read-" + "r" * 30


def with_settings(deps, **fields):
    """Return ``deps`` with these settings, named as their fields."""
    return replace(deps, settings=deps.settings.model_copy(update=fields))


def guarded(deps, *, write=WRITE_TOKEN, read=None, **fields):
    """Return ``deps`` of a deployment with these tokens."""
    return with_settings(
        deps,
        write_api_token=write and SecretStr(write),
        read_api_token=read and SecretStr(read),
        **fields,
    )


def bearer(token):
    return {"Authorization": f"Bearer {token}"}
