"""/openapi.json: requests and responses of CDS Hooks, made from the schemas that check them."""

from __future__ import annotations

from functools import cache
from typing import Any

from cds_service.wire.requests import CDSRequestSchema, FeedbackRequestSchema
from cds_service.wire.responses import CDSResponseSchema, DiscoverySchema

_JSON = "application/json"
_ISSUE = {
    "type": "object",
    "required": ["severity", "code", "diagnostics"],
    "properties": {
        "severity": {"enum": ["error", "fatal"]},
        "code": {"type": "string"},
        "diagnostics": {"type": "string"},
        "expression": {"type": "array", "items": {"type": "string"}},
    },
}
_OPERATION_OUTCOME = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {"type": "array", "minItems": 1, "items": _ISSUE},
    },
}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


@cache
def document(version: str, server: str) -> dict[str, Any]:
    """The OpenAPI document; `server` is the address that clients call, or "" if that is unknown."""
    from apispec import APISpec  # late: few callers ask for it
    from apispec.ext.marshmallow import MarshmallowPlugin

    spec = APISpec(
        title="CDS service",
        version=version,
        openapi_version="3.1.0",
        info={"description": "CDS Hooks: discovery, the call of a service, and feedback."},
        servers=[{"url": server or "/"}],
        plugins=[MarshmallowPlugin(schema_name_resolver=_name)],
    )
    spec.components.schema("OperationOutcome", _OPERATION_OUTCOME)
    spec.components.security_scheme(
        "client", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    )
    _add(spec, "/cds-services", "get", "Discovery", answer=DiscoverySchema)
    _add(
        spec,
        "/cds-services/{id}",
        "post",
        "Call of a CDS Service",
        body=CDSRequestSchema,
        answer=CDSResponseSchema,
    )
    _add(
        spec, "/cds-services/{id}/feedback", "post", "Feedback on cards", body=FeedbackRequestSchema
    )
    made: dict[str, Any] = spec.to_dict()
    return made


def _add(
    spec: Any, path: str, method: str, summary: str, *, body: Any = None, answer: Any = None
) -> None:
    good = {"description": "Stored"} if answer is None else _content("The answer", answer)
    operation = {
        "summary": summary,
        "security": [{}, {"client": []}],
        "responses": {
            "204" if answer is None else "200": good,
            "default": _content("An error", "OperationOutcome"),
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": body}}}
    if "{id}" in path:
        operation["parameters"] = [_ID]
    spec.path(path=path, operations={method: operation})


def _content(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _name(schema: Any) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return str(name).rpartition(".")[2].removesuffix("Schema")
