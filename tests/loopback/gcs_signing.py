"""A service account: signs as IAM does, checks URLs as Cloud Storage does."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.loopback.gcs_store import Refused

EMAIL = "signer@loopback.iam.gserviceaccount.com"
_LONGEST_SECONDS = 604_800
_AHEAD_SECONDS = 900  # how far a signer's clock may be ahead


class Account:
    """One account and its key; ``clock`` is that of the bucket."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        self._clock = clock

    def credentials(self, url: str) -> dict[str, str]:
        """Return a key file, whose tokens come from the server at ``url``."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": "loopback",
            "private_key_id": "loopback-1",
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "token_uri": f"{url}/token",
        }

    def token(self, assertion: str) -> dict[str, Any]:
        """Return an access token for an assertion that our key has signed."""
        try:
            jwt.decode(
                assertion,
                self._key.public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False},
            )
        except jwt.InvalidTokenError as exc:
            raise Refused(400, "invalid_grant") from exc
        return {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}

    def sign_blob(self, payload: str) -> dict[str, str]:
        """Answer ``iamcredentials:signBlob``."""
        signed = self._key.sign(
            base64.b64decode(payload), padding.PKCS1v15(), hashes.SHA256()
        )
        return {"keyId": "loopback-1", "signedBlob": base64.b64encode(signed).decode()}

    def check(
        self, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> None:
        """Refuse a request that no valid V4 signature allows.

        Args:
            method: GET, PUT, ….
            path: as it was sent, still quoted.
            query: as it was sent.
            headers: names in lower case.
        """
        pairs = parse_qsl(query, keep_blank_values=True)
        given = dict(pairs)
        try:
            email, scope = given["X-Goog-Credential"].split("/", 1)
            signature = bytes.fromhex(given["X-Goog-Signature"])
            self._in_time(given["X-Goog-Date"], int(given["X-Goog-Expires"]))
            names = given["X-Goog-SignedHeaders"].split(";")
        except (KeyError, ValueError):
            raise Refused(403, "AccessDenied", "forbidden") from None
        lines = [
            method,
            path,
            "&".join(
                f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                for name, value in sorted(pairs)
                if name != "X-Goog-Signature"
            ),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            ";".join(names),
            headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD"),
        ]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        signed = f"GOOG4-RSA-SHA256\n{given['X-Goog-Date']}\n{scope}\n{digest}"
        try:
            self._key.public_key().verify(
                signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            raise Refused(403, "SignatureDoesNotMatch", "forbidden") from None
        if email != EMAIL:
            raise Refused(403, "AccessDenied", "forbidden")

    def _in_time(self, signed_at: str, seconds: int) -> None:
        moment = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        age = self._clock() - moment.timestamp()
        if age > seconds:
            raise Refused(400, "ExpiredToken")
        if age < -_AHEAD_SECONDS or seconds > _LONGEST_SECONDS:
            raise Refused(400, "InvalidArgument")
