"""Puts the invented people on a FHIR R4 server, and posts JSON to a service.

Only the standard library is needed, because fixtures/load.py runs without the service's libraries.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

FHIR_JSON = "application/fhir+json"
# A strict server refuses these, as it may: see "Missing and odd data" in fixtures/README.md.
ODD = frozenset({"dirk-dirty-record", "miriam-mixed-records"})


class LoadError(Exception):
    """The server did not take what was sent; the text says why."""


def is_address(text: str) -> bool:
    """Whether this is an address that can be called at all."""
    return text.startswith(("http://", "https://"))


def wait_for_server(base: str, *, seconds: float) -> None:
    """Return once the server shows its CapabilityStatement; LoadError when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            statement = call(f"{base}/metadata", timeout=10)
            if statement.get("resourceType") == "CapabilityStatement":
                return
            reason = "no CapabilityStatement came"
        except LoadError as error:
            reason = str(error)
        if time.monotonic() >= deadline:
            raise LoadError(f"{base}/metadata does not answer: {reason}")
        time.sleep(1)


def call(
    address: str, body: bytes | None = None, *, timeout: float, media_type: str = FHIR_JSON
) -> dict[str, Any]:
    """The JSON object that a GET, or a POST of `body`, gives; LoadError for anything else."""
    headers = {"Accept": media_type} | ({"Content-Type": media_type} if body else {})
    request = urllib.request.Request(address, body, headers)  # noqa: S310 - see is_address
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        raise LoadError(f"{error.code} {_diagnostics(error.read())}".strip()) from error
    except (OSError, HTTPException) as error:
        raise LoadError(str(error)) from error
    except ValueError as error:
        raise LoadError("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise LoadError("the answer is not a JSON object")
    return answer


def _diagnostics(body: bytes) -> str:
    """What an OperationOutcome says first; "" for any other body."""
    try:
        return str(json.loads(body)["issue"][0]["diagnostics"])
    except (ValueError, LookupError, TypeError):
        return ""
