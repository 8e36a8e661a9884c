"""Forged principals: what somebody makes who has the public key, a valid principal, or both."""

import base64
import copy
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.common.principal import LEEWAY_SECONDS

# The order of Ed25519's group (RFC 8032, 5.1).
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
Forgery = tuple[str, str]


def encoded(data: bytes | object) -> str:
    """A part of a JWS: bytes, or JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Any:
    """The JSON in a part of a JWS."""
    return json.loads(base64.urlsafe_b64decode(part + "=="))


class Forger:
    """Has a valid principal, a key of their own, and auth's key for what auth itself would sign."""

    def __init__(self, valid: str, key: Ed25519PrivateKey) -> None:
        self.valid = valid
        self.key = key
        self.own = Ed25519PrivateKey.generate()
        self.head, self.body, self.signature = valid.split(".")
        self.header, self.claims = decoded(self.head), decoded(self.body)

    def all(self) -> Iterator[Forgery]:
        """Every forgery, with its name."""
        yield from self.without_signature()
        yield from self.confused()
        yield from self.with_foreign_key()
        yield from self.altered()
        yield from self.bent_signatures()
        yield from self.wrong_claims()
        yield from self.malformed()

    def without_signature(self) -> Iterator[Forgery]:
        """Algorithm "none" in its spellings (RFC 7519, 6)."""
        spellings: list[Any] = ["none", "None", "NONE", "nOnE", "none ", "", None, 0, [], ["none"]]
        for alg in spellings:
            head = encoded({**self.header, "alg": alg})
            for name, signature in (("empty", ""), ("kept", self.signature), ("junk", "AAAA")):
                yield f"alg {alg!r}, signature {name}", f"{head}.{self.body}.{signature}"
            yield f"alg {alg!r}, no third part", f"{head}.{self.body}"
        unsigned = {name: value for name, value in self.header.items() if name != "alg"}
        yield "no alg", f"{encoded(unsigned)}.{self.body}."

    def confused(self) -> Iterator[Forgery]:
        """The public key taken for a shared secret (HMAC), and other algorithms."""
        public = self.key.public_key()
        raw = public.public_bytes_raw()
        secrets = {
            "raw": raw,
            "x": encoded(raw).encode(),
            "hex": raw.hex().encode(),
            "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "openssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            "jwk": json.dumps({"kty": "OKP", "crv": "Ed25519", "x": encoded(raw)}).encode(),
            "empty": b"",
            "kid": str(self.header["kid"]).encode(),
        }
        for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
            head = encoded({**self.header, "alg": alg})
            for name, secret in secrets.items():
                mac = hmac.new(secret, f"{head}.{self.body}".encode(), digest).digest()
                yield f"{alg} with the public key as {name}", f"{head}.{self.body}.{encoded(mac)}"
        for alg in (
            "RS256",
            "PS256",
            "ES256",
            "ES256K",
            "EdDsa",
            "eddsa",
            "EdDSA ",
            "Ed448",
            "dir",
        ):
            head = encoded({**self.header, "alg": alg})
            yield f"alg {alg}", f"{head}.{self.body}.{self.signature}"

    def with_foreign_key(self) -> Iterator[Forgery]:
        """A key of one's own, offered in every way that a header has (RFC 7515, 4.1)."""
        own = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": encoded(self.own.public_key().public_bytes_raw()),
        }
        url = "http://127.0.0.1:1/keys.json"
        kids: list[Any] = [
            self.header["kid"],
            "attacker",
            "",
            None,
            0,
            ["a"],
            {"a": 1},
            "../../../../dev/null",
            "/dev/null",
            "x' UNION SELECT 'secret' --",
            "| sleep 5",
            url,
            "k" * 100_000,
            "\u0000",
        ]
        for kid in kids:
            yield f"own key, kid {str(kid)[:30]!r}", self._signed_by_own({"kid": kid})
        yield "own key, no kid", self._signed_by_own({}, drop=("kid",))
        for extra in (
            {"jwk": own},
            {"jwk": own, "kid": "attacker"},
            {"jku": url},
            {"jku": url, "kid": "attacker"},
            {"x5u": url},
            {"x5c": [encoded(b"certificate")]},
            {"x5t#S256": encoded(hashlib.sha256(b"x").digest())},
            {"crit": ["jwk"], "jwk": own},
        ):
            yield f"own key, {'+'.join(extra)}", self._signed_by_own(extra)

    def altered(self) -> Iterator[Forgery]:
        """A valid principal with single claims changed under its signature."""
        changes: dict[str, Any] = {
            "tenant": "00000000-0000-0000-0000-000000000000",
            "tno": self.claims["tno"] + 1,
            "aud": "registry" if self.claims["aud"] != "registry" else "tracking",
            "sub": "user:00000000-0000-0000-0000-000000000000",
            "act": "00000000-0000-0000-0000-000000000000",
            "ws": 2,
            "scope": "* admin",
            "pep": 99,
            "exp": self.claims["exp"] + 3600,
            "iss": "somebody",
        }
        for name, value in changes.items():
            body = encoded({**self.claims, name: value})
            yield f"{name} swapped under the signature", f"{self.head}.{body}.{self.signature}"
        twice = json.dumps(self.claims)[:-1] + ',"tno":2}'
        yield "tno given twice", f"{self.head}.{encoded(twice.encode())}.{self.signature}"
        head = encoded({**self.header, "typ": "JWT2"})
        yield "header altered", f"{head}.{self.body}.{self.signature}"

    def bent_signatures(self) -> Iterator[Forgery]:
        """Signatures that are nearly right, or right in a form that must not be accepted."""
        raw = base64.urlsafe_b64decode(self.signature + "==")
        scalar = int.from_bytes(raw[32:], "little")
        bent = {
            "first bit": bytes([raw[0] ^ 1]) + raw[1:],
            "last bit": raw[:-1] + bytes([raw[-1] ^ 0x80]),
            "cut": raw[:-1],
            "longer": raw + b"\x00",
            "zeros": bytes(64),
            "identity point": b"\x01" + bytes(63),
            "halves swapped": raw[32:] + raw[:32],
            "scalar plus the group's order": raw[:32]
            + (scalar + GROUP_ORDER).to_bytes(32, "little"),
            "none": b"",
        }
        for name, signature in bent.items():
            yield f"signature: {name}", f"{self.head}.{self.body}.{encoded(signature)}"

    def wrong_claims(self) -> Iterator[Forgery]:
        """Signed by auth's own key, and still not for this service, or not now."""
        now = int(time.time())
        late, early = now - LEEWAY_SECONDS - 2, now + LEEWAY_SECONDS + 60
        other = "registry" if self.claims["aud"] != "registry" else "tracking"
        changes: list[dict[str, Any]] = [
            {"aud": other},
            {"aud": "gateway"},
            {"aud": ""},
            {"aud": None},
            {"aud": [self.claims["aud"]]},
            {"aud": [self.claims["aud"], other]},
            {"aud": f"{self.claims['aud']} {other}"},
            {"aud": self.claims["aud"].upper()},
            {"iss": "maestro-auth "},
            {"iss": None},
            {"iss": ["maestro-auth"]},
            {"exp": late},
            {"exp": 0},
            {"exp": -1},
            {"exp": "soon"},
            {"exp": None},
            {"nbf": early},
            {"nbf": "soon"},
            {"iat": early},
            {"tno": "one"},
            {"tno": None},
            {"ws": {}},
        ]
        for change in changes:
            yield f"claims {change}", self._signed_by_auth({**self.claims, **change})
        yield from self._absent_claims()
        for body in (b"", b"null", b"[]", b"1", b"\xff", b"{" * 5000):
            yield f"payload {body[:5]!r}", self._signed_bytes(body)
        yield "crit header", self._signed_by_auth(self.claims, {"crit": ["exp"], "exp": now})
        yield "detached payload", self._signed_by_auth(self.claims, {"crit": ["b64"], "b64": False})

    def _absent_claims(self) -> Iterator[Forgery]:
        for name in (
            "iss",
            "aud",
            "sub",
            "act",
            "tenant",
            "tno",
            "ws",
            "scope",
            "pep",
            "exp",
            "nbf",
        ):
            left = copy.copy(self.claims)
            del left[name]
            yield f"claim {name} absent", self._signed_by_auth(left)

    def malformed(self) -> Iterator[Forgery]:
        """What is no JWS at all."""
        head, body, signature = self.head, self.body, self.signature
        for name, text in {
            "empty": "",
            "dots": "..",
            "one part": head,
            "four parts": f"{self.valid}.{signature}",
            "five parts, as JWE": f"{head}..{body}.{signature}.AAAA",
            "parts swapped": f"{body}.{head}.{signature}",
            "twice": f"{self.valid},{self.valid}",
            "JSON form": json.dumps({"payload": body, "protected": head, "signature": signature}),
            "not base64": f"{head}!.{body}.{signature}",
            "header no JSON": f"{encoded(b'no')}.{body}.{signature}",
            "header a list": f"{encoded([])}.{body}.{signature}",
            "prefixed": f"Bearer {self.valid}",
            "long": "A" * 60_000,
        }.items():
            yield f"malformed: {name}", text

    def _signed_by_own(self, header: dict[str, Any], drop: tuple[str, ...] = ()) -> str:
        kept = {n: v for n, v in self.header.items() if n not in drop}
        head = encoded({**kept, **header})
        return f"{head}.{self.body}.{encoded(self.own.sign(f'{head}.{self.body}'.encode()))}"

    def _signed_by_auth(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        return self._signed_bytes(json.dumps(claims).encode(), header)

    def _signed_bytes(self, payload: bytes, header: dict[str, Any] | None = None) -> str:
        head = encoded({**self.header, **(header or {})})
        text = f"{head}.{encoded(payload)}"
        return f"{text}.{encoded(self.key.sign(text.encode()))}"


def is_sound(valid: str, key: Ed25519PrivateKey) -> bool:
    """Whether the forger's own tools work: what they sign with the right key is accepted."""
    forger = Forger(valid, key)
    again = forger._signed_by_auth(forger.claims)
    claims = jwt.decode(again, key.public_key(), ["EdDSA"], options={"verify_aud": False})
    return bool(claims == forger.claims)
