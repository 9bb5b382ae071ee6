"""Google as an issuer of identity tokens: signs them, and shows its certificates."""

import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

ISSUER = "https://accounts.google.com"
_LIFETIME_SECONDS = 3600


class GoogleSigner:
    """A key pair, tokens signed with it, and a server of its certificate.

    ``fetches`` counts how often the certificates were asked for; ``down`` has the
    server answer 503.
    """

    def __init__(self, port: int = 0, *, key_id: str = "loopback-1") -> None:
        self.fetches = 0
        self.down = False
        self._certificates: dict[str, str] = {}
        self.rotate(key_id)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))

    def rotate(self, key_id: str) -> None:
        """Sign with a new key from now on; the old ones are still shown."""
        self.key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        self.key_id = key_id
        self._certificates[key_id] = _certificate(self.key)

    @property
    def certs_url(self) -> str:
        """Where the certificates are."""
        return f"http://127.0.0.1:{self._server.server_port}/certs"

    @property
    def public_pem(self) -> bytes:
        """The public key, as a forger finds it."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def claims(self, *, email: str, audience: str) -> dict[str, Any]:
        """Return what Google says of a service account."""
        now = int(time.time())
        return {
            "iss": ISSUER,
            "aud": audience,
            "azp": "1234567890",
            "sub": "1234567890",
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + _LIFETIME_SECONDS,
        }

    def token(
        self,
        *,
        email: str,
        audience: str,
        headers: Mapping[str, Any] | None = None,
        **overrides: Any,
    ) -> str:
        """Return a signed token; a claim that is overridden by None is left out."""
        claims = self.claims(email=email, audience=audience) | overrides
        kept = {name: value for name, value in claims.items() if value is not None}
        return self.sign(json.dumps(kept).encode(), headers)

    def sign(self, content: bytes, headers: Mapping[str, Any] | None = None) -> str:
        """Return whatever bytes with a good signature."""
        return jwt.api_jws.encode(
            content, self.key, "RS256", headers={"kid": self.key_id, **(headers or {})}
        )

    def certificates(self) -> bytes:
        """Return the document that Google serves."""
        return json.dumps(self._certificates).encode()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _handler(signer: GoogleSigner) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            signer.fetches += 1
            body = b"{}" if signer.down else signer.certificates()
            self.send_response(503 if signer.down else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", "public, max-age=21600")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler
