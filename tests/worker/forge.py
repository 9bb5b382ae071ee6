"""What a forger can do with a token of ours, and what only its signer can."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Sign = Callable[[bytes], bytes]


def hs256(secret: bytes) -> Sign:
    def sign(content: bytes) -> bytes:
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(content)
        return mac.finalize()

    return sign


def rs256(key: rsa.RSAPrivateKey, digest: hashes.HashAlgorithm | None = None) -> Sign:
    return lambda content: key.sign(
        content, padding.PKCS1v15(), digest or hashes.SHA256()
    )


@dataclass(frozen=True)
class Forge:
    """What a forger has, and what only the real signer has.

    Args:
        header: of a good token.
        claims: of a good token of the queue.
        signature: of the real signer.
        public: the public key, as PEM; some bytes where there is none.
        certificate: the certificate, likewise.
        stranger: of the forger.
        key: of the forger.
        other: an algorithm that is not used, and the real signer's signature by it.
    """

    header: dict[str, Any]
    claims: dict[str, Any]
    signature: Sign
    public: bytes
    certificate: bytes
    stranger: Sign
    key: rsa.RSAPrivateKey
    other: tuple[str, Sign]

    def good(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return what the real signer signs; what is ``...`` is left out."""
        return self.join(self.header | (header or {}), self.claims | claims)

    def join(
        self, header: object, claims: object, signature: Sign | None = None
    ) -> str:
        """Return a token of these parts, given as bytes or as JSON to be."""
        signed = b".".join((_part(header), _part(claims)))
        return b".".join((signed, b64((signature or self.signature)(signed)))).decode()

    def forged(self, **header: Any) -> str:
        """Return a good token that is signed by the forger."""
        return self.join(self.header | header, self.claims, self.stranger)

    def unsigned(self, alg: object, signature: bytes = b"") -> str:
        return self.join(
            self.header | {"alg": alg}, self.claims, lambda _content: signature
        )

    def jwk(self) -> dict[str, Any]:
        public = self.key.public_key()
        return jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)


def _part(value: object) -> bytes:
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if part is not ...}
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


def b64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
