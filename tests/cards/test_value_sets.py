"""The value sets: FHIR, with provenance, and the traps of public code lists kept out."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from fhir.resources.R4B.valueset import ValueSet

from cds_service.knowledge import CDSService

from .conversations import FIXTURES

PROJECT = FIXTURES.parent

FILES = sorted((PROJECT / "cards" / "value-sets").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_value_set_is_fhir_and_says_whose_codes_it_holds(path: Path) -> None:
    data = orjson.loads(path.read_bytes())
    value_set = ValueSet.model_validate(data)
    assert value_set.id == path.stem
    assert value_set.copyright
    for include in data["compose"]["include"]:
        assert include["concept"], include["system"]
        assert all(concept.get("display") for concept in include["concept"])


def test_who_classifications_stand_in_includes_of_their_own() -> None:
    for path in FILES:
        systems = [each["system"] for each in orjson.loads(path.read_bytes())["compose"]["include"]]
        assert len(systems) == len(set(systems)), path.name


def _sets(service: CDSService, system: str, code: str) -> frozenset[str]:
    return service.terminology.match({"coding": [{"system": system, "code": code}]}).codes


SNOMED_CT = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def test_generalised_anxiety_in_its_codes(service: CDSService) -> None:
    for system, code in ((SNOMED_CT, "21897009"), (ICD_10_CM, "F41.1"), (ICD_10_CM, "f411")):
        assert "generalized-anxiety-disorder" in _sets(service, system, code)


def test_a_code_of_icd_10_cm_is_not_read_as_one_of_icd_10(service: CDSService) -> None:
    assert "neurasthenia" in _sets(service, "http://hl7.org/fhir/sid/icd-10", "F48.0")
    assert _sets(service, ICD_10_CM, "F48.0") == frozenset()


def test_every_level_of_rxnorm_leads_to_the_ingredient(service: CDSService) -> None:
    for code in ("36437", "312938", "208161", "82728"):
        assert {"sertraline", "ssris"} <= _sets(service, RXNORM, code), code


def test_no_prefetch_template_goes_beyond_the_subset_of_2_0(service: CDSService) -> None:
    for key, template in service.prefetch.items():
        assert len(template) < 2000, key
        assert "today()" not in template and "_include" not in template and "%" not in template
        names = [each.partition("=")[0] for each in template.partition("?")[2].split("&")]
        assert len(names) == len(set(names)), key
        assert "status" not in template, "past problems and stopped medicines count"
        assert "|" not in template, "codes stand without their system"
