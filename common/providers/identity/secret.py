"""Callers of this machine: they share a secret with the worker."""

from pydantic import SecretStr

from common.providers import internal_calls
from common.providers.identity import EVENTS, QUEUE, SCHEDULER, BadToken, Stranger

_CALLERS = {
    internal_calls.QUEUE: QUEUE,
    internal_calls.SCHEDULER: SCHEDULER,
    internal_calls.EVENTS: EVENTS,
}


class SharedSecret:
    """Checks tokens that ``internal_calls.sign`` made."""

    def __init__(self, secret: SecretStr, *, audience: str) -> None:
        self._secret = secret
        self._audience = audience.rstrip("/")

    def caller(self, token: str) -> str:  # noqa: D102
        try:
            email = internal_calls.caller(self._secret, token, audience=self._audience)
        except internal_calls.BadToken as exc:
            raise BadToken(str(exc)) from exc
        if email not in _CALLERS:
            raise Stranger("nobody of ours")
        return _CALLERS[email]
