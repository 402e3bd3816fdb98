"""CDS Hooks, chapters "Card Attributes", "Suggestion", "Action", "Link", "Source"."""

from __future__ import annotations

import re
from typing import Any

import pytest
from builders import TOY, card, cds_request, proposal, suggestion
from flask.testing import FlaskClient
from marshmallow import ValidationError

from cds_service.knowledge.call import Action, Card, Coding, Link, Source, Suggestion
from cds_service.wire.responses import dump_response

UUID = "0d6a2c1e-6a4a-4f0e-9d5f-0a1b2c3d4e5f"


def sent(made: Card) -> dict[str, Any]:
    (only,) = dump_response([made])["cards"]
    assert isinstance(only, dict)
    return only


def refused(*cards: Card) -> str:
    with pytest.raises(ValidationError) as caught:
        dump_response(cards)
    return str(caught.value)


def with_action(**members: Any) -> Card:
    action = {"type": "create", "description": "Propose", "resource": proposal()} | members
    return card(suggestions=(Suggestion(UUID, "Measure", (Action(**action),)),))


def test_c_1_to_c_14_a_whole_card_goes_out_whole() -> None:
    assert sent(card()) == {
        "uuid": card().uuid,
        "summary": "Leg weakness has no recorded work-up",
        "indicator": "warning",
        "detail": "**Not known:** vitamin B12",
        "source": {"label": "Toy guideline", "url": "https://guideline.example.org/toy"},
        "overrideReasons": [
            {"system": "https://codes.example.org", "code": "seen", "display": "Seen already"}
        ],
        "selectionBehavior": "any",
        "suggestions": [
            {
                "uuid": suggestion().uuid,
                "label": "Measure vitamin B12",
                "actions": [
                    {
                        "type": "create",
                        "description": "Propose to measure vitamin B12",
                        "resource": proposal(),
                    }
                ],
            }
        ],
        "links": [
            {
                "label": "Toy guideline",
                "url": "https://guideline.example.org/toy",
                "type": "absolute",
            }
        ],
    }


def test_j_3_c_10_c_12_o_1_a_bare_card_has_no_empty_members() -> None:
    bare = card(detail="", source=Source("Toy"), override_reasons=(), suggestions=(), links=())
    assert set(sent(bare)) == {"uuid", "summary", "indicator", "source"}
    assert sent(bare)["source"] == {"label": "Toy"}


def test_c_14_the_rules_that_a_card_rests_on_are_not_sent() -> None:
    assert "rules" not in sent(card(rules=("R1", "R2")))


@pytest.mark.parametrize("summary", ["", " ", "\t"])
def test_c_2_a_card_says_something(summary: str) -> None:
    assert "summary" in refused(card(summary=summary))


@pytest.mark.parametrize("summary", ["x" * 139, "é" * 139, "😀" * 69 + "x"])
def test_c_3_a_summary_of_139_units_is_sent(summary: str) -> None:
    assert sent(card(summary=summary))["summary"] == summary


@pytest.mark.parametrize("summary", ["x" * 140, "😀" * 70, "x" * 1200])
def test_c_3_a_longer_summary_is_refused(summary: str) -> None:
    assert "139" in refused(card(summary=summary))


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x0b", "\x85"])
def test_c_3_a_summary_is_one_line(end: str) -> None:
    assert "one line" in refused(card(summary=f"One{end}two"))


@pytest.mark.parametrize("indicator", ["info", "warning", "critical"])
def test_c_4_the_three_indicators_are_sent(indicator: str) -> None:
    assert sent(card(indicator=indicator))["indicator"] == indicator


@pytest.mark.parametrize("indicator", ["hard-stop", "success", "error", "Info", ""])
def test_c_4_no_other_indicator_is_sent(indicator: str) -> None:
    assert "indicator" in refused(card(indicator=indicator))


@pytest.mark.parametrize("uuid", ["", "1", UUID.upper(), UUID + "\n", UUID[:-1]])
def test_c_6_o_4_every_card_has_a_uuid(uuid: str) -> None:
    assert "uuid" in refused(card(uuid=uuid))


def test_c_7_a_uuid_stands_once() -> None:
    assert "uuid" in refused(card(), card())
    assert "uuid" in refused(card(uuid=suggestion().uuid))


def test_c_8_another_call_gets_other_uuids(client: FlaskClient) -> None:
    texts = [client.post(TOY, json=cds_request()).text]
    texts.append(client.post(TOY, json=cds_request(hookInstance=UUID)).text)
    first, second = (set(re.findall(r'"uuid":"([^"]+)"', text)) for text in texts)
    assert first and not first & second


def test_c_11_selection_behaviour_comes_with_suggestions_alone() -> None:
    assert sent(card())["selectionBehavior"] in ("any", "at-most-one")
    assert "selectionBehavior" not in sent(card(suggestions=()))


def test_sr_1_sr_2_a_card_says_where_it_comes_from() -> None:
    assert "source" in refused(card(source=Source("")))
    assert "label" in refused(card(source=Source("", "https://guideline.example.org")))


@pytest.mark.parametrize(
    "url",
    [
        "guideline.example.org",
        "/guideline",
        "javascript:alert(1)",
        "https://",
        "https://me:secret@guideline.example.org",
        "https://guideline.example.org/a b",
        "http://[::1",
    ],
)
def test_sr_3_l_2_l_6_addresses_are_absolute_and_without_credentials(url: str) -> None:
    assert "url" in refused(card(source=Source("Toy", url)))
    assert "url" in refused(card(links=(Link("Toy", url),)))


@pytest.mark.parametrize("missing", ["system", "code", "display"])
def test_o_2_an_override_reason_is_a_whole_coding(missing: str) -> None:
    coding = {"system": "https://codes.example.org", "code": "seen", "display": "Seen"}
    assert missing in refused(card(override_reasons=(Coding(**coding | {missing: ""}),)))


def test_sg_1_sg_2_a_suggestion_has_a_label_and_a_uuid() -> None:
    assert "label" in refused(card(suggestions=(Suggestion(UUID, "", ()),)))
    assert "uuid" in refused(card(suggestions=(Suggestion("1", "Measure", ()),)))


def test_sg_5_a_suggestion_without_actions_has_no_such_member() -> None:
    made = card(suggestions=(Suggestion(UUID, "Measure", ()),))
    assert sent(made)["suggestions"] == [{"uuid": UUID, "label": "Measure"}]


@pytest.mark.parametrize("kind", ["update", "delete", "Create", ""])
def test_a_1_nothing_but_create_is_proposed(kind: str) -> None:
    assert "type" in refused(with_action(type=kind))


def test_a_2_an_action_is_described() -> None:
    assert "description" in refused(with_action(description=""))


@pytest.mark.parametrize("resource", [None, {}, [], "ServiceRequest/1", {"status": "draft"}])
def test_a_3_create_carries_a_resource(resource: Any) -> None:
    assert "resource" in refused(with_action(resource=resource))


@pytest.mark.parametrize("resource_type", ["ServiceRequest", "Task"])
def test_a_3_a_service_request_and_a_task_can_be_proposed(resource_type: str) -> None:
    made = sent(with_action(resource=proposal(resourceType=resource_type)))
    assert made["suggestions"][0]["actions"][0]["resource"]["resourceType"] == resource_type


@pytest.mark.parametrize(
    "resource_type",
    [
        "MedicationRequest",
        "MedicationStatement",
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationOrder",
        "MedicationPrescription",
        "Medication",
        "RequestGroup",
        "RequestOrchestration",
        "CarePlan",
        "Bundle",
        "Parameters",
        "NutritionOrder",
        "servicerequest",
        ["ServiceRequest"],
    ],
)
def test_a_3_nothing_else_can_be_proposed(resource_type: Any) -> None:
    assert "resource" in refused(with_action(resource=proposal(resourceType=resource_type)))


@pytest.mark.parametrize(
    "inside",
    [
        {"contained": [{"resourceType": "MedicationRequest", "status": "active"}]},
        {"contained": [{"status": "active"}]},
        {"Contained": [{"status": "active"}]},
        {"entry": [{"resource": {"resourceType": "MedicationRequest"}}]},
        {"extension": [{"url": "a", "valueReference": {"resourceType": "Organization"}}]},
        {"medicationCodeableConcept": {"text": "sertraline"}},
        {"input": [{"type": {"text": "dose"}, "valueDosage": {"text": "50 mg"}}]},
        {"orderDetail": [{"dosageInstruction": [{"text": "50 mg"}]}]},
    ],
)
def test_a_3_no_medicine_hides_inside_what_is_proposed(inside: dict[str, Any]) -> None:
    assert "inside" in refused(with_action(resource=proposal(**inside)))


@pytest.mark.parametrize("nothing", [None, "", [], {}, [None], {"text": ""}, float("nan")])
def test_j_4_a_resource_has_no_empty_member(nothing: Any) -> None:
    assert "empty" in refused(with_action(resource=proposal(code=nothing)))


@pytest.mark.parametrize("odd", [object(), {1: "a"}, {"a"}, b"bytes"])
def test_j_4_a_resource_is_json(odd: Any) -> None:
    assert "Not FHIR JSON" in refused(with_action(resource=proposal(code=odd)))


def test_l_1_l_3_a_link_has_a_label_and_a_type() -> None:
    address = "https://guideline.example.org"
    assert "label" in refused(card(links=(Link("", address),)))
    assert "type" in refused(card(links=(Link("Toy", address, "relative"),)))
