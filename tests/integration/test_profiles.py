"""Each profile, tried over HTTP against an invented server that is as strict as its row says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from builders import NOW, ToyService, patient, searchset, toy_knowledge
from commands import run
from invented_ehr import Asked, InventedEHR, invented_ehr, refused
from marshmallow import ValidationError

from cds_service import create_app
from cds_service.environment import from_environment
from cds_service.errors import SettingsError
from cds_service.fhir.profiles import Profile, load_profiles, profile_of, too_long
from cds_service.knowledge import CDSService, Knowledge
from cds_service.settings import Settings
from cds_service.web.collaborators import EXTENSION

SERVICE = "/cds-services/anxiety-leg-weakness"
DISCLAIMER = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "processing"}],
}


def well(asked: Asked, ehr: InventedEHR) -> Any:
    return patient() if asked.path.startswith("Patient/") else searchset()


def without_sort(asked: Asked, ehr: InventedEHR) -> Any:
    return refused(400) if "_sort" in asked else well(asked, ehr)


def epic(asked: Asked, ehr: InventedEHR) -> Any:
    """No _sort, no MedicationStatement, results by code or category, a disclaimer everywhere."""
    if asked.path == "MedicationStatement":
        return refused(404)
    if asked.path == "Observation" and not ("code" in asked or "category" in asked):
        return refused(400)
    answer = without_sort(asked, ehr)
    if isinstance(answer, dict) and answer["resourceType"] == "Bundle":
        answer = searchset(DISCLAIMER)
        answer["entry"][0]["search"] = {"mode": "outcome"}
    return answer


def needs_intent(asked: Asked, ehr: InventedEHR) -> Any:
    is_short = asked.path == "MedicationRequest" and "intent" not in asked
    return refused(400) if is_short else without_sort(asked, ehr)


def needs_status(asked: Asked, ehr: InventedEHR) -> Any:
    is_short = asked.path == "MedicationRequest" and "stopped" not in asked.values("status")
    return refused(400) if is_short else without_sort(asked, ehr)


def hapi(asked: Asked, ehr: InventedEHR) -> Any:
    """Pages of one, by links with the name that the server knows of itself."""
    if "_getpages" in asked:
        return searchset({"resourceType": "Encounter", "id": "second"}, total=2)
    if asked.path == "Encounter":
        link = "http://hapi.internal:8080/fhir?_getpages=1&_getpagesoffset=1"
        first = {"resourceType": "Encounter", "id": "first"}
        return searchset(first, total=2, link=[{"relation": "next", "url": link}])
    return well(asked, ehr)


SERVERS: dict[str, Callable[[Asked, InventedEHR], Any]] = {
    "epic": epic,
    "oracle": without_sort,
    "athena": needs_intent,
    "us-core": needs_intent,
    "au-core": needs_status,
    "hapi": hapi,
}


def test_every_profile_is_a_setting_and_is_tried() -> None:
    named = get_args(get_args(Settings.model_fields["fhir_profile"].annotation)[0])
    names = named or get_args(Settings.model_fields["fhir_profile"].annotation)
    assert set(names) - {"none"} == set(load_profiles()) == set(SERVERS)
    for profile in load_profiles().values():
        assert profile.title and profile.because
        assert all(source.startswith("https://") for source in profile.sources)


@pytest.mark.parametrize("name", SERVERS)
def test_all_lists_come_with_one_request_each(name: str, cards: Knowledge) -> None:
    with invented_ehr(SERVERS[name]) as ehr:
        settings = Settings(store_url="none", fhir_servers=(ehr.base,), fhir_profile=name)
        app = create_app(settings, cards, clock=lambda: NOW)
        client = app.test_client()
        started = time.perf_counter()
        body = {
            "hook": "patient-view",
            "hookInstance": "9cbe9d19-0b9a-4f3b-8b1d-6a2f0f6b9a51",
            "context": {"userId": "Practitioner/grace", "patientId": "ada"},
            "fhirServer": ehr.base,
        }
        response = client.post(SERVICE, json=body)
        seconds = time.perf_counter() - started
        app.extensions[EXTENSION].fhir_client.close()
    assert response.status_code == 200, response.text
    lists = response.get_json()["extension"]["urn:cds-service:record-state"]["lists"]
    lacking = {"medicationStatements"} if name == "epic" else set()
    assert {key for key, state in lists.items() if state != "whole"} == lacking
    assert all(lists[key] == "absent" for key in lacking)
    pages = 1 if name == "hapi" else 0
    assert len(ehr.asked) == len(lists) - len(lacking) + pages, "no second try was needed"
    assert seconds < settings.fhir_timeout_ms / 1000


@pytest.mark.parametrize("name", SERVERS)
def test_discovery_publishes_adapted_templates(name: str, cards: Knowledge) -> None:
    settings = Settings(store_url="none", fhir_profile=name)
    client = create_app(settings, cards, clock=lambda: NOW).test_client()
    [entry] = [
        each
        for each in client.get("/cds-services").get_json()["services"]
        if each["id"] == "anxiety-leg-weakness"
    ]
    profile = load_profiles()[name]
    types = {template.partition("?")[0] for template in entry["prefetch"].values()}
    assert types.isdisjoint(profile.none)
    for parameter in profile.without:
        assert not any(f"{parameter}=" in template for template in entry["prefetch"].values())
    for resource_type, extra in profile.extra.items():
        [template] = [t for t in entry["prefetch"].values() if t.startswith(f"{resource_type}?")]
        assert template.endswith(f"&{extra}")
    assert too_long(entry["prefetch"]) == []


def test_without_a_profile_nothing_changes(service: CDSService) -> None:
    profile = profile_of(Settings())
    assert profile.adapted(service.prefetch) == service.prefetch
    assert profile.published(service) is service


def test_pages_are_made_smaller_and_never_larger() -> None:
    templates = {"a": "Condition?patient=1&_count=500", "b": "Encounter?patient=1&_count=20"}
    assert Profile(page_size=100).adapted(templates) == {
        "a": "Condition?patient=1&_count=100",
        "b": "Encounter?patient=1&_count=20",
    }


def test_extra_parameters_are_added_to_the_template_of_their_key(cards: Knowledge) -> None:
    environ = {
        "CDS_FHIR_EXTRA": "laboratory=category=laboratory; medicationRequests=intent=order,plan"
    }
    settings = from_environment(environ)
    adapted = profile_of(settings).of_site(cards).services["anxiety-leg-weakness"].prefetch
    assert adapted["laboratory"].endswith("&category=laboratory")
    assert adapted["medicationRequests"].endswith("&intent=order,plan")
    assert "category" not in adapted["vitalSigns"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("laboratory", "expected <prefetch key>=<parameter>=<value>"),
        ("laboratory=category", "expected <prefetch key>=<parameter>=<value>"),
        ("laboratory=category=a b", "expected <prefetch key>=<parameter>=<value>"),
        ("laboratory=a=1; laboratory=b=2", "named twice"),
    ],
)
def test_an_extra_of_another_form_stops_the_start(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"CDS_FHIR_EXTRA: .*{message}"):
        from_environment({"CDS_FHIR_EXTRA": text})


@pytest.mark.parametrize(
    "extra, message",
    [
        ((("genomes", "a=1"),), "genomes is a search of no service"),
        ((("patient", "a=1"),), "patient is a search of no service"),
        ((("laboratory", "code=1"),), "has code already"),
        ((("laboratory", "patient=eve"),), "has patient already"),
    ],
)
def test_an_extra_that_fits_no_template_stops_the_start(
    extra: Any, message: str, cards: Knowledge
) -> None:
    with pytest.raises(SettingsError, match=message):
        create_app(Settings(store_url="none", fhir_extra=extra), cards)


def test_a_profile_with_an_unknown_key_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd.yaml").write_text("title: a\nbecause: b\nsources: []\nwithuot: [_sort]\n")
    monkeypatch.setattr("cds_service.fhir.profiles.FOLDER", tmp_path)
    with pytest.raises(ValidationError, match="withuot"):
        load_profiles()


def test_a_list_that_the_server_lacks_is_read_where_a_client_sends_it() -> None:
    toy = ToyService(prefetch={"patient": "Patient/x", "taken": "MedicationStatement?patient=x"})
    settings = Settings(store_url="none", fhir_profile="epic")
    client = create_app(settings, toy_knowledge(toy), clock=lambda: NOW).test_client()
    sent = {"patient": patient(), "taken": searchset()}
    for prefetch, state in ((sent, "whole"), ({"patient": patient()}, "absent")):
        body = {
            "hook": "patient-view",
            "hookInstance": "9cbe9d19-0b9a-4f3b-8b1d-6a2f0f6b9a51",
            "context": {"userId": "Practitioner/grace", "patientId": "ada"},
            "prefetch": prefetch,
        }
        response = client.post("/cds-services/toy", json=json.loads(json.dumps(body)))
        lists = response.get_json()["extension"]["urn:cds-service:record-state"]["lists"]
        assert lists["taken"] == state


def test_check_holds_the_templates_of_every_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sound" in run("check").output
    wrong = run("check", fails=True, CDS_FHIR_EXTRA="genomes=a=1")
    assert "CDS_FHIR_EXTRA: genomes is a search of no service" in wrong.output
    long = {"epic": Profile(extra={"Observation": "category=" + "x" * 2000})}
    monkeypatch.setattr("cds_service.cli.knowledge.load_profiles", lambda: long)
    assert "the template of laboratory is too long with epic" in run("check", fails=True).output
