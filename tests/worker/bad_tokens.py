"""Headers that must open nothing: forged, altered, stale, misdirected, or nonsense."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.worker.forge import Forge, b64, hs256, rs256

Forgery = Callable[[Forge], str]

_HOUR = 3600


def _swapped(token: str, part: int, **changes: Any) -> str:
    """Change what a good token says and keep its signature."""
    parts = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(parts[part] + "=="))
    parts[part] = b64(json.dumps(said | changes).encode()).decode()
    return ".".join(parts)


def _resigned(forge: Forge, digest: hashes.HashAlgorithm, alg: str) -> str:
    header = forge.header | {"alg": alg}
    return forge.join(header, forge.claims, rs256(forge.key, digest))


def _elliptic(forge: Forge) -> str:
    key = ec.generate_private_key(ec.SECP256R1())

    def sign(content: bytes) -> bytes:
        r, s = utils.decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return forge.join(forge.header | {"alg": "ES256"}, forge.claims, sign)


def _flattened(forge: Forge) -> str:
    protected, payload, signature = forge.good().split(".")
    return json.dumps(
        {"protected": protected, "payload": payload, "signature": signature}
    )


# Whole headers
HEADERS: dict[str, Forgery] = {
    "empty": lambda _: "",
    "a space": lambda _: " ",
    "only the scheme": lambda _: "Bearer",
    "the scheme and a space": lambda _: "Bearer ",
    "no scheme": lambda f: f.good(),
    "basic": lambda f: "Basic " + base64.b64encode(b"queue:secret").decode(),
    "basic with a token": lambda f: f"Basic {f.good()}",
    "another scheme": lambda f: f"Token {f.good()}",
    "a longer scheme": lambda f: f"BearerX {f.good()}",
    "a colon": lambda f: f"Bearer: {f.good()}",
    "a tab": lambda f: f"Bearer\t{f.good()}",
    "in quotes": lambda f: f'Bearer "{f.good()}"',
    "a word behind it": lambda f: f"Bearer {f.good()} x",
    "a parameter behind it": lambda f: f"Bearer {f.good()}, realm=x",
    "a dot behind it": lambda f: f"Bearer {f.good()}.",
    "padding behind it": lambda f: f"Bearer {f.good()}==",
    "a percent sign behind it": lambda f: f"Bearer {f.good()}%00",
    "twice": lambda f: f"Bearer {f.good()}, Bearer {f.good()}",
    "after a bad one": lambda f: f"Bearer {f.forged()}, Bearer {f.good()}",
    "huge": lambda _: "Bearer " + "a" * 1_000_000,
    "huge, in three parts": lambda _: "Bearer " + ".".join(["a" * 300_000] * 3),
    "Latin letters": lambda _: "Bearer \xe9\xe8.\xe9.\xff",
    "null": lambda _: "Bearer null",
    "dots": lambda _: "Bearer ..",
    "two parts": lambda f: "Bearer " + f.good().rpartition(".")[0],
    "five parts": lambda f: f"Bearer {f.good()}.a.b",
    "letters": lambda _: "Bearer a.b.c",
    "as JSON": lambda f: f"Bearer {_flattened(f)}",
    "as JSON in base64": lambda f: "Bearer " + b64(_flattened(f).encode()).decode(),
}

# Tokens that nobody signed, or the wrong one
FORGED: dict[str, Forgery] = {
    "by a stranger": lambda f: f.forged(),
    "by a stranger, unknown key id": lambda f: f.forged(kid="stranger"),
    "by a stranger, no key id": lambda f: f.forged(kid=...),
    "by a stranger, empty key id": lambda f: f.forged(kid=""),
    "by a stranger, key id of a file": lambda f: f.forged(kid="../../../dev/null"),
    "by a stranger, key id of a URL": lambda f: f.forged(kid="https://x.example/k"),
    "by a stranger, key id in SQL": lambda f: f.forged(kid="' or '1'='1"),
    "by a stranger, key id a list": lambda f: f.forged(kid=["a"]),
    "by a stranger, key id an object": lambda f: f.forged(kid={"a": 1}),
    "by a stranger, key id a number": lambda f: f.forged(kid=1),
    "by a stranger, own jku": lambda f: f.forged(jku="http://127.0.0.1:1/jwks"),
    "by a stranger, own x5u": lambda f: f.forged(x5u="http://127.0.0.1:1/cert"),
    "by a stranger, own jwk": lambda f: f.forged(jwk=f.jwk()),
    "by a stranger, own x5c": lambda f: f.forged(x5c=["MIIB"]),
    "of nothing": lambda f: f.unsigned("none"),
    "of nothing, in capitals": lambda f: f.unsigned("NONE"),
    "of nothing, in both": lambda f: f.unsigned("nOnE", b"x"),
    "of nothing, but signed": lambda f: f.unsigned("none", b"\0" * 256),
    "of no algorithm": lambda f: f.unsigned(..., b"x"),
    "of null": lambda f: f.unsigned(None, b"x"),
    "of a list": lambda f: f.unsigned(["RS256"], b"x"),
    "of a number": lambda f: f.unsigned(256, b"x"),
    "of an unknown algorithm": lambda f: f.unsigned("RS1", b"x"),
    "of zeros": lambda f: f.join(f.header, f.claims, lambda _: b"\0" * 256),
    "of another content": lambda f: f.join(
        f.header, f.claims, lambda _: f.signature(b"other")
    ),
    "by the public key": lambda f: f.join(
        f.header | {"alg": "HS256"}, f.claims, hs256(f.public)
    ),
    "by the certificate": lambda f: f.join(
        f.header | {"alg": "HS256"}, f.claims, hs256(f.certificate)
    ),
    "by the empty secret": lambda f: f.join(
        f.header | {"alg": "HS256"}, f.claims, hs256(b"")
    ),
    "by the public key, said to be RSA": lambda f: f.join(
        f.header, f.claims, hs256(f.public)
    ),
    "RS512": lambda f: _resigned(f, hashes.SHA512(), "RS512"),
    "another digest": lambda f: _resigned(f, hashes.SHA512(), "RS256"),
    "elliptic": _elliptic,
    "right, under another name": lambda f: f.good({"alg": "PS256"}),
    "right, by another algorithm": lambda f: f.join(
        f.header | {"alg": f.other[0]}, f.claims, f.other[1]
    ),
    "one letter changed": lambda f: _letter_changed(f.good()),
    "half a signature": lambda f: f.good()[:-20],
    "no signature": lambda f: f.good().rpartition(".")[0] + ".",
    "another e-mail": lambda f: _swapped(f.good(), 1, email="x@example.org"),
    "more time": lambda f: _swapped(f.good(), 1, exp=f.claims["exp"] + 1),
    "another header": lambda f: _swapped(f.good(), 0, typ="JOSE"),
}


def _letter_changed(token: str) -> str:
    """Not the last letter: some of its bits mean nothing."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


# Tokens that the real signer would never sign
NONSENSE: dict[str, Forgery] = {
    "a token in a token": lambda f: f.join(
        f.header | {"cty": "JWT"}, f.good().encode()
    ),
    "a list of claims": lambda f: f.join(f.header, [f.claims]),
    "a word": lambda f: f.join(f.header, "claims"),
    "null claims": lambda f: f.join(f.header, None),
    "no claims": lambda f: f.join(f.header, {}),
    "half the claims": lambda f: f.join(f.header, b'{"iss": '),
    "claims not in UTF-8": lambda f: f.join(f.header, b'{"iss": "\xff"}'),
    "deep claims": lambda f: f.join(f.header, b"[" * 900 + b"]" * 900),
    "a deep header": lambda f: f.join(b"[" * 1400, b"{}"),
    "a header list": lambda f: f.join([f.header], f.claims),
    "half a header": lambda f: f.join(b'{"alg": ', f.claims),
    "a number too long": lambda f: f.join(f.header, b'{"exp": ' + b"9" * 4500 + b"}"),
    "a huge token": lambda f: f.good(more="x" * 10_000),
    "what must be understood": lambda f: f.good({"crit": ["x"], "x": 1}),
    "unencoded": lambda f: f.good({"b64": False, "crit": ["b64"]}),
}

_now = int(time.time())
CLAIMS: dict[str, dict[str, Any]] = {
    "no issuer": {"iss": ...},
    "another issuer": {"iss": "https://accounts.example.com"},
    "the issuer with a slash": {"iss": "https://accounts.google.com/"},
    "the issuer without TLS": {"iss": "http://accounts.google.com"},
    "issuers": {"iss": ["https://accounts.google.com"]},
    "null as issuer": {"iss": None},
    "no audience": {"aud": ...},
    "another audience": {"aud": "https://another.example"},
    "an empty audience": {"aud": ""},
    "an audience above ours": {"aud": "https://"},
    "null as audience": {"aud": None},
    "no e-mail": {"email": ...},
    "null as e-mail": {"email": None},
    "an e-mail not verified": {"email_verified": False},
    "an e-mail perhaps verified": {"email_verified": ...},
    "an e-mail verified in words": {"email_verified": "true"},
    "an e-mail verified in numbers": {"email_verified": 1},
    "expired": {"iat": _now - 2 * _HOUR, "exp": _now - _HOUR},
    "expired a minute ago": {"iat": _now - _HOUR, "exp": _now - 60},
    "no end": {"exp": ...},
    "null as end": {"exp": None},
    "an end in words": {"exp": "soon"},
    "an end that is a list": {"exp": [_now + _HOUR]},
    "an end that is no number": {"exp": float("nan")},
    "an infinite end": {"exp": float("inf")},
    "an end before time": {"exp": -1},
    "an end that is a switch": {"exp": True},
    "no beginning": {"iat": ...},
    "a beginning in an hour": {"iat": _now + _HOUR, "exp": _now + 2 * _HOUR},
    "a beginning in words": {"iat": "now"},
    "an infinite beginning": {"iat": float("inf")},
    "not before an hour": {"nbf": _now + _HOUR},
    "not before soon": {"nbf": "soon"},
}

# Good tokens of somebody who has no business anywhere; these may be told so
STRANGERS: dict[str, dict[str, Any]] = {
    "a stranger": {"email": "somebody@example.org"},
    "an empty e-mail": {"email": ""},
    "a list of e-mails": {"email": ["{email}"]},
    "an e-mail in capitals": {"email": "{EMAIL}"},
    "an e-mail with a space": {"email": "{email} "},
    "an e-mail with a tag": {"email": "x+{email}"},
    "an e-mail with more behind": {"email": "{email}.example.org"},
    "an e-mail and more": {"email": "{email},x@example.org"},
}


# Only Google's tokens name their key, and have times that are nothing but numbers
GOOGLE: dict[str, Forgery] = {
    "no key id": lambda f: f.good({"kid": ...}),
    "null as key id": lambda f: f.good({"kid": None}),
    "an unknown key id": lambda f: f.good({"kid": "unknown"}),
    "a list of key ids": lambda f: f.good({"kid": [f.header["kid"]]}),
    "an end in digits": lambda f: f.good(exp=str(_now + _HOUR)),
    "a beginning in digits": lambda f: f.good(iat=str(_now)),
}


def forgeries() -> dict[str, Forgery]:
    """Return every bad ``Authorization`` header, by what is wrong with it."""
    tokens = {
        **FORGED,
        **NONSENSE,
        **{name: _claiming(claims) for name, claims in CLAIMS.items()},
        **{name: _claiming(claims) for name, claims in STRANGERS.items()},
        "ours among audiences": lambda f: f.good(aud=[f.claims["aud"], "x"]),
        "our audience in a list": lambda f: f.good(aud=[f.claims["aud"]]),
        "an audience below ours": lambda f: f.good(aud=f.claims["aud"] + "/tasks"),
        "an audience with a slash": lambda f: f.good(aud=f.claims["aud"] + "/"),
        "the e-mail as subject": lambda f: f.good(email=..., sub=f.claims["email"]),
    }
    bearers = {name: _bearing(forgery) for name, forgery in tokens.items()}
    return HEADERS | bearers


def _bearing(forgery: Forgery) -> Forgery:
    return lambda forge: f"Bearer {forgery(forge)}"


def _claiming(claims: dict[str, Any]) -> Forgery:
    def forged(forge: Forge) -> str:
        email = str(forge.claims["email"])
        text = json.dumps({k: v for k, v in claims.items() if v is not ...})
        text = text.replace("{email}", email).replace("{EMAIL}", email.upper())
        omitted: dict[str, Any] = {
            name: ... for name, value in claims.items() if value is ...
        }
        return forge.good(**json.loads(text), **omitted)

    return forged
