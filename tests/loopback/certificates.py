"""Certificates for tests, made on the spot."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_DAY_SECONDS = 86_400


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class Authority:
    """Signs certificates; its own is signed by itself."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        public = self._key.public_key()
        ca = x509.BasicConstraints(ca=True, path_length=0)
        builder = self._builder(name, public, _DAY_SECONDS)
        self._own = builder.add_extension(ca, critical=True).sign(
            self._key, hashes.SHA256()
        )

    @property
    def pem(self) -> str:
        return _pem(self._own)

    def issue(self, name: str, public_pem: str, *, seconds: float) -> tuple[str, str]:
        """Return a certificate's serial number, as ``ssl`` writes it, and its PEM."""
        public = serialization.load_pem_public_key(public_pem.encode())
        found = self._builder(name, public, seconds).sign(self._key, hashes.SHA256())
        digits = f"{found.serial_number:X}"
        return digits.zfill(len(digits) + len(digits) % 2), _pem(found)

    def server_context(self, folder: Path, *, trusts: Self) -> ssl.SSLContext:
        """Return what a server needs that takes only clients whom ``trusts`` signed."""
        key = new_key()
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        _serial, pem = self.issue("server", public.decode(), seconds=_DAY_SECONDS)
        file = folder / "server.pem"
        file.write_text(pem + pem_of(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=trusts.pem)
        return context

    def _builder(self, name, public, seconds):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(seconds=seconds))
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
