"""/openapi.json is sound, and calls made from it never meet a fault of the service."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from builders import NOW
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings

SERVICE = "anxiety-leg-weakness"
EXAMPLES = 40
OPERATIONS = [
    ("/cds-services", "GET"),
    ("/cds-services/{id}", "POST"),
    ("/cds-services/{id}/feedback", "POST"),
]


@pytest.fixture(scope="module")
def application(cards: Knowledge) -> Iterator[Flask]:
    yield create_app(Settings(store_url="none"), cards, lambda: NOW)


@pytest.fixture(scope="module")
def schema(application: Flask) -> Any:
    # Here, because it takes a second in every process that collects the tests.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what schemathesis itself imports
        import schemathesis
    return schemathesis.openapi.from_wsgi("/openapi.json", application)


def test_the_document_describes_what_the_standard_names(application: Flask) -> None:
    document = application.test_client().get("/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    assert sorted(document["paths"]) == [path for path, _ in OPERATIONS]
    schemas = document["components"]["schemas"]
    assert schemas["CDSRequest"]["required"] == ["context", "hook", "hookInstance"]
    assert schemas["Card"]["properties"]["indicator"]["enum"] == ["info", "warning", "critical"]
    assert "systemActions" not in schemas["CDSResponse"]["properties"]


@pytest.mark.parametrize("path, method", OPERATIONS)
def test_calls_made_from_the_document_meet_no_5xx(schema: Any, path: str, method: str) -> None:
    from schemathesis.specs.openapi.checks import response_schema_conformance

    operation = schema[path][method]

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_ours=st.booleans())
    def run(case: Any, is_ours: bool) -> None:
        if is_ours and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = SERVICE
        response = case.call()
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=(response_schema_conformance,))

    run()
