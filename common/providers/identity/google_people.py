"""People who sign in with Google: what it says of them in an ID token."""

from common.providers.identity import BadToken, Person
from common.providers.identity.google_certificates import Certificates
from common.providers.identity.google_tokens import claims_of


class GooglePeople:
    """Checks ID tokens that browsers get for our client id."""

    def __init__(self, client_id: str, *, certs_url: str) -> None:
        """Fetch nothing yet; the certificates are kept for a while."""
        self._client_id = client_id
        self._certificates = Certificates(certs_url)

    def person(self, token: str) -> Person:  # noqa: D102
        claims = claims_of(token, self._certificates, audience=self._client_id)
        subject, email = claims.get("sub"), claims.get("email")
        if not isinstance(subject, str) or not subject:
            raise BadToken("no subject")
        if email is not None and claims.get("email_verified") is not True:
            raise BadToken("e-mail not verified")
        return Person(
            subject=subject,
            email=_text(email),
            name=_text(claims.get("name")),
            picture_url=_text(claims.get("picture")),
        )


def _text(claim: object) -> str | None:
    """Return a claim that is a text which a database can hold."""
    if not isinstance(claim, str) or "\0" in claim:
        return None
    return claim.strip() or None
