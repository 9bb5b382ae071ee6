"""Who signs URLs: a key if there is one, else IAM on behalf of the service account."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import google.auth
from google.auth import iam
from google.auth.credentials import Signing
from google.auth.exceptions import DefaultCredentialsError
from google.auth.transport.requests import Request

from common.providers.storage.gcs.connection import SCOPES, is_emulated

_SIGN_SECONDS = 5  # a call takes 0.1 s; the library itself would wait for two minutes


class IamCredentials(Signing):
    """Signs through ``iamcredentials:signBlob``, so that no key need lie anywhere.

    The account must be allowed to create tokens for itself. Access tokens are renewed
    by the library. Source: Cloud Storage, "V4 signing process", read 2026-11.
    """

    def __init__(self, request: Any, credentials: Any, email: str) -> None:  # noqa: ANN401 - the vendor's are untyped
        self._email = email
        self._signer = iam.Signer(request, credentials, email)  # type: ignore[no-untyped-call]

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the signature."""
        signature: bytes = self._signer.sign(message)
        return signature

    @property
    def signer_email(self) -> str:
        """Whose signature it is."""
        return self._email

    @property
    def signer(self) -> iam.Signer:
        """The vendor's signer."""
        return self._signer


@dataclass(frozen=True)
class Signatory:
    """Finds out once per process how URLs can be signed.

    Args:
        email: the account to sign for; None is the one that we run as.
        request: how Google is asked; None for over the network.
    """

    email: str | None
    request: Any = None

    @cached_property
    def credentials(self) -> Signing | None:
        """Who signs; None beside an emulator for which there are no credentials."""
        try:
            found, _project = google.auth.default(SCOPES)
        except DefaultCredentialsError:
            if is_emulated():
                return None
            raise
        if isinstance(found, Signing) and self.email in (None, found.signer_email):
            return found
        request = self.request or _request()
        return IamCredentials(request, found, self.email or _own_email(found, request))


def _request() -> Any:  # noqa: ANN401 - the vendor's, untyped
    return partial(Request(), timeout=_SIGN_SECONDS)


def _own_email(credentials: Any, request: Any) -> str:  # noqa: ANN401 - as above
    """Return the account's name; on Cloud Run it is known after the first token."""
    credentials.refresh(request)
    email: str = credentials.service_account_email
    return email
