"""Tokens as CDS Clients sign them, and as attackers would like to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from builders import NOW
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://ehr.example.org"
PUBLIC_URL = "https://cds.example.org/clinic"
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
ALGORITHMS = (*CURVES, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")


def private_key(algorithm: str, bits: int = 2048) -> Any:
    """The one key of its kind in this run; making them takes a while."""
    return _made(algorithm, bits)


@cache
def _made(algorithm: str, bits: int) -> Any:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, bits)


def public_jwk(algorithm: str, kid: str, bits: int = 2048) -> dict[str, Any]:
    public = private_key(algorithm, bits).public_key()
    if algorithm in CURVES:
        return {**ECAlgorithm.to_jwk(public, as_dict=True), "kid": kid}
    if algorithm == "EdDSA":
        return {**OKPAlgorithm.to_jwk(public, as_dict=True), "kid": kid}
    return {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": kid}


def jwks(*algorithms: str) -> bytes:
    """The public keys of a CDS Client; the id of each is its algorithm."""
    return json.dumps({"keys": [public_jwk(each, each) for each in algorithms]}).encode()


def seconds(offset: float = 0) -> int:
    """NumericDate, so many seconds from now."""
    return int((NOW + timedelta(seconds=offset)).timestamp())


@dataclass
class Signer:
    """A CDS Client with a key; a claim or header given as `...` is left out."""

    issuer: str = ISSUER
    algorithm: str = "ES384"
    bits: int = 2048
    headers: dict[str, Any] = field(default_factory=dict)

    def claims(self, url: str, **changes: Any) -> dict[str, Any]:
        claims = {
            "iss": self.issuer,
            "aud": url,
            "iat": seconds(),
            "exp": seconds(300),
            "jti": str(uuid4()),
        } | changes
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, url: str, **changes: Any) -> str:
        headers = {"kid": self.algorithm, "typ": "JWT"} | self.headers
        key = private_key(self.algorithm, self.bits)
        kept = {name: value for name, value in headers.items() if value is not ...}
        if headers.get("typ") is ...:
            kept["typ"] = None  # the library leaves it out then
        return jwt.encode(self.claims(url, **changes), key, self.algorithm, headers=kept)

    def bearer(self, url: str, **changes: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(url, **changes)}"}


def bearer_of_today(issuer: str, url: str) -> dict[str, str]:
    """A token of today, for servers that have the clock of the machine."""
    now = datetime.now(UTC)
    claims = {"iss": issuer, "aud": url, "iat": now, "exp": now + timedelta(seconds=300)}
    claims["jti"] = str(uuid4())
    headers = {"kid": "ES384"}
    return {
        "Authorization": "Bearer " + jwt.encode(claims, private_key("ES384"), "ES384", headers),
        "Content-Type": "application/json",
    }


def assembled(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token by hand, which libraries refuse to make: without a signature, or with an HMAC."""
    signed = ".".join(_part(json.dumps(each).encode()) for each in (header, claims))
    if secret is None:
        return signed + "."
    digest = getattr(hashlib, f"sha{header['alg'][-3:]}")
    return f"{signed}.{_part(hmac.new(secret, signed.encode(), digest).digest())}"


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def write_jwks(folder: Path, *algorithms: str) -> Path:
    path = folder / "jwks.json"
    path.write_bytes(jwks(*(algorithms or ALGORITHMS)))
    return path
