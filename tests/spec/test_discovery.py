"""CDS Hooks, chapter "Discovery"."""

from __future__ import annotations

import re
from typing import Any

import pytest
from builders import TEMPLATES, ToyKnowledge, ToyService, assert_outcome, toy_knowledge
from flask.testing import FlaskClient
from marshmallow import ValidationError

from cds_service import create_app
from cds_service.settings import Settings
from cds_service.wire.responses import dump_discovery


def discovered(client: FlaskClient) -> dict[str, Any]:
    entries: list[dict[str, Any]] = client.get("/cds-services").get_json()["services"]
    assert len(entries) == 1
    return entries[0]


def test_d_1_discovery_answers_200_in_json(client: FlaskClient) -> None:
    response = client.get("/cds-services")
    assert (response.status_code, response.mimetype) == (200, "application/json")


def test_d_2_no_service_is_an_empty_list() -> None:
    client = create_app(Settings(), ToyKnowledge({})).test_client()
    assert client.get("/cds-services").get_json() == {"services": []}


def test_d_3_d_4_d_5_d_6_d_8_an_entry_says_what_the_service_is(client: FlaskClient) -> None:
    entry = discovered(client)
    assert entry["hook"] == "patient-view"
    assert entry["id"] == "toy"
    assert entry["title"] == "Toy"
    assert entry["description"] == "Looks at nothing and has an opinion."
    assert entry["usageRequirements"] == "For tests only."


def test_d_7_prefetch_holds_the_templates(client: FlaskClient) -> None:
    assert discovered(client)["prefetch"] == TEMPLATES


def test_d_7_j_3_members_without_value_are_left_out() -> None:
    bare = ToyService(title="", usage_requirements="", prefetch={})
    entry = dump_discovery([bare])["services"][0]
    assert set(entry) == {"id", "hook", "description", "version"}


def test_d_9_version_is_a_semantic_version_of_cds_hooks(client: FlaskClient) -> None:
    assert re.fullmatch(r"2\.\d+\.\d+", discovered(client)["version"])


def test_d_11_every_service_has_an_entry() -> None:
    knowledge = toy_knowledge(ToyService(), ToyService(id="other"))
    entries = create_app(Settings(), knowledge).test_client().get("/cds-services").get_json()
    assert [entry["id"] for entry in entries["services"]] == ["toy", "other"]


def test_d_14_an_entry_holds_nothing_that_the_standard_does_not_know(client: FlaskClient) -> None:
    known = {"hook", "title", "description", "id", "prefetch", "usageRequirements", "version"}
    assert set(discovered(client)) <= known


def test_d_15_discovery_is_stable(client: FlaskClient) -> None:
    assert client.get("/cds-services").data == client.get("/cds-services").data


def test_d_16_a_trailing_slash_works(client: FlaskClient) -> None:
    response = client.get("/cds-services/")
    assert response.status_code == 200
    assert response.data == client.get("/cds-services").data


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_d_17_other_methods_are_405(client: FlaskClient, method: str) -> None:
    response = client.open("/cds-services", method=method)
    assert_outcome(response, 405)
    assert "GET" in response.headers["Allow"]


def test_d_4_a_service_without_description_is_not_sent() -> None:
    with pytest.raises(ValidationError, match="description"):
        dump_discovery([ToyService(description="")])


def test_discovery_names_the_version_of_the_knowledge(client: FlaskClient) -> None:
    assert client.get("/cds-services").headers["Knowledge-Version"] == "toy-1"
