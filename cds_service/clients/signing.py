"""Tokens as a CDS Client signs them, for development and for `cds-service doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import uuid4

import jwt

ALGORITHM = "ES384"  # which CDS Hooks recommends


def signed_token(
    private: Mapping[str, str], issuer: str, url: str, issued: datetime, life: timedelta
) -> str:
    """A new token for one call of `url`, signed with a private JWK."""
    claims = {
        "iss": issuer,
        "aud": url,
        "iat": issued,
        "exp": issued + life,
        "jti": str(uuid4()),
    }
    key = jwt.PyJWK(dict(private), ALGORITHM)
    return jwt.encode(claims, key, ALGORITHM, headers={"kid": private["kid"], "typ": "JWT"})
