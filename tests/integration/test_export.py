"""`cds-service export`: the content as FHIR artifacts, whole, valid and always the same."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import run
from content import texts_in
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from cds_service.fhir_export.conditions import USAGE
from cds_service.fhir_export.metadata import artifact_id, computable
from cds_service.knowledge import CDSService, Knowledge

Resource = dict[str, Any]
VALIDATOR = Path(__file__).parents[1] / "fhir_validator"
# CRMI, "Shareable": what each artifact has to say of itself.
SHAREABLE = (
    "url",
    "version",
    "name",
    "title",
    "status",
    "experimental",
    "publisher",
    "description",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export")
    run("export", path)
    return path


@pytest.fixture(scope="module")
def artifacts(folder: Path) -> dict[str, Resource]:
    """Every artifact, by type and id."""
    return {
        f"{path.parent.name}/{path.stem}": json.loads(path.read_bytes())
        for path in sorted(folder.glob("*/*.json"))
    }


def of_type(artifacts: dict[str, Resource], type_: str) -> list[Resource]:
    return [each for each in artifacts.values() if each["resourceType"] == type_]


# -- whole ---------------------------------------------------------------------------------------


def test_every_rule_cause_measure_and_suggestion_is_in_it(
    artifacts: dict[str, Resource], service: CDSService
) -> None:
    plans = {*(rule.id for rule in service.rules), *(cause.id for cause in service.causes)}
    plans |= {each.governance.id for each in service.suggestions}
    for id_ in plans:
        plan = artifacts[f"PlanDefinition/{service.id}-{id_}"]
        item = service.governed[id_]
        assert (plan["title"], plan["version"]) == (item.title, item.version)
        assert (plan["status"], plan["experimental"]) == (item.status, item.status != "active")
        assert [each["label"] for each in plan["relatedArtifact"]] == list(item.sources)
    for id_ in service.measures:
        assert f"ActivityDefinition/{service.id}-{id_}" in artifacts
    whole = artifacts[f"PlanDefinition/{service.id}"]
    named = " ".join(each.get("definitionCanonical", "") for each in whole["action"])
    assert all(f"/{service.id}-{id_}|" in named for id_ in plans | set(service.measures))


def test_every_source_and_every_fact_is_in_the_library(
    artifacts: dict[str, Resource], service: CDSService
) -> None:
    library = artifacts[f"Library/{service.id}"]
    cited = {each["label"] for each in library["relatedArtifact"] if each["type"] == "citation"}
    assert cited == {key for item in service.governed.values() for key in item.sources}
    assert {each["name"] for each in library["parameter"]} == set(service.facts)


def test_every_value_set_is_in_it_with_every_code(
    artifacts: dict[str, Resource], cards: Knowledge
) -> None:
    listed = {id_: each for id_, each in cards.value_sets.items() if each.concepts}
    found = {each["id"]: each for each in of_type(artifacts, "ValueSet")}
    assert set(listed) <= set(found) | {"excision-of-appendix"}  # which only a toy service reads
    for id_, value_set in found.items():
        codes = [
            (include["system"], each["code"])
            for include in value_set["compose"]["include"]
            for each in include["concept"]
        ]
        assert len(codes) == len(set(codes)) == sum(map(len, listed[id_].concepts.values()))


def test_every_reference_to_an_artifact_leads_to_one(artifacts: dict[str, Resource]) -> None:
    urls = {f"{each['url']}|{each['version']}" for each in artifacts.values()}
    bare = {each["url"] for each in artifacts.values()}
    named = set()
    for text in texts_in(list(artifacts.values())):
        if text.startswith("https://example.org/"):
            named.add(text)
    assert len(named) > 400
    assert named <= urls | bare


def test_conditions_are_those_of_the_rules_and_are_said_to_be_for_reading(
    artifacts: dict[str, Resource], service: CDSService
) -> None:
    for rule in service.rules:
        plan = artifacts[f"PlanDefinition/{service.id}-{rule.id}"]
        assert plan["usage"] == USAGE
        levels = {
            each["title"]: each["condition"] for each in plan["action"] if "condition" in each
        }
        for level, condition in rule.levels.items():
            [written] = levels[level]
            assert written["expression"]["language"] == "text/fhirpath"
            assert written["expression"]["expression"] == " ".join(condition.text.split())


def test_no_artifact_can_order_a_medicine(artifacts: dict[str, Resource]) -> None:
    activities = of_type(artifacts, "ActivityDefinition")
    assert {each["kind"] for each in activities} == {"CommunicationRequest", "ServiceRequest"}
    assert not re.search(r'"(dosage|product\w*|dynamicValue)"', json.dumps(activities))


def test_each_artifact_can_be_shared(artifacts: dict[str, Resource]) -> None:
    for artifact in artifacts.values():
        assert [name for name in SHAREABLE if not artifact.get(name, artifact["id"])] == []
        assert set(SHAREABLE) <= artifact.keys()
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,254}", artifact["name"])
        assert "approvalDate" not in artifact and "lastReviewDate" not in artifact
    names = [(each["resourceType"], each["name"]) for each in artifacts.values()]
    assert len(set(names)) == len(names)


# -- the same ------------------------------------------------------------------------------------


def test_two_exports_are_equal_byte_by_byte(folder: Path, tmp_path: Path) -> None:
    run("export", tmp_path)
    one, other = (
        {path.relative_to(each): path.read_bytes() for path in sorted(each.rglob("*.json"))}
        for each in (folder, tmp_path)
    )
    assert one == other and len(one) > 400


# -- valid ---------------------------------------------------------------------------------------


def faults_by_models(artifact: Resource) -> list[str]:
    """What fhir.resources finds."""
    try:
        get_fhir_model_class(artifact["resourceType"]).model_validate(copy.deepcopy(artifact))
    except ValidationError as error:
        return [str(each["loc"]) for each in error.errors()]
    return []


def faults_by_definitions(artifacts: list[Resource]) -> list[list[str]]:
    """What the npm package `fhir` finds, for each artifact."""
    if shutil.which("node") is None:
        pytest.skip("npm fhir: there is no node")
    if not (VALIDATOR / "node_modules").is_dir():
        pytest.skip("npm fhir: not installed; run `npm ci` in tests/fhir_validator")
    text = "".join(f"{json.dumps(each)}\n" for each in artifacts)
    ended = subprocess.run(
        ["node", "validate.js"], cwd=VALIDATOR, input=text, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_every_artifact_is_valid_for_fhir_resources(artifacts: dict[str, Resource]) -> None:
    assert {
        name: found for name, each in artifacts.items() if (found := faults_by_models(each))
    } == {}


def test_every_artifact_is_valid_for_npm_fhir(artifacts: dict[str, Resource]) -> None:
    found = faults_by_definitions(list(artifacts.values()))
    assert len(found) == len(artifacts)
    assert {name: each for name, each in zip(artifacts, found, strict=True) if each} == {}


def _without(*path: str | int) -> Callable[[Resource], None]:
    def spoil(artifact: Any) -> None:
        *above, last = path
        for step in above:
            artifact = artifact[step]
        del artifact[last]

    return spoil


def _with(value: Any, *path: str | int) -> Callable[[Resource], None]:
    def spoil(artifact: Any) -> None:
        *above, last = path
        for step in above:
            artifact = artifact[step]
        artifact[last] = value

    return spoil


FAULTS: dict[str, tuple[str, Callable[[Resource], None]]] = {
    "no status": ("PlanDefinition", _without("status")),
    "an unknown status": ("Library", _with("ready", "status")),
    "an unknown member": ("PlanDefinition", _with("x", "priority")),
    "a date that is none": ("ValueSet", _with("last week", "date")),
    "text for a boolean": ("PlanDefinition", _with("no", "experimental")),
    "an expression without language": (
        "PlanDefinition",
        _without("action", 0, "condition", 0, "expression", "language"),
    ),
    "an unknown kind of condition": (
        "PlanDefinition",
        _with("perhaps", "action", 0, "condition", 0, "kind"),
    ),
    "a concept without code": ("ValueSet", _without("compose", "include", 0, "concept", 0, "code")),
    "a source of no type": ("PlanDefinition", _without("relatedArtifact", 0, "type")),
    "no type of library": ("Library", _without("type")),
    "an id with blanks": ("PlanDefinition", _with("a b c", "id")),
    "an empty text": ("PlanDefinition", _with("", "publisher")),
    "a day that no month has": ("ValueSet", _with("2026-13-40", "date")),
    "a number as version": ("Library", _with(7, "version")),
    "an unknown kind of activity": ("ActivityDefinition", _with("Medicine", "kind")),
}


def test_each_seeded_fault_is_caught_by_one_of_the_two(artifacts: dict[str, Resource]) -> None:
    spoilt = []
    for type_, spoil in FAULTS.values():
        sound = [each for each in of_type(artifacts, type_) if each.get("relatedArtifact", True)]
        artifact = copy.deepcopy(sound[1 if len(sound) > 1 else 0])
        spoil(artifact)
        spoilt.append(artifact)
    by_definitions = faults_by_definitions(spoilt)
    caught = {
        name: (bool(faults_by_models(artifact)), bool(found))
        for name, artifact, found in zip(FAULTS, spoilt, by_definitions, strict=True)
    }
    assert [name for name, by in caught.items() if not any(by)] == []
    # Neither of them would do alone.
    assert not all(by[0] for by in caught.values())
    assert not all(by[1] for by in caught.values())


# -- the command ---------------------------------------------------------------------------------


def test_the_addresses_and_the_publisher_are_as_named(tmp_path: Path) -> None:
    options = ("--canonical", "https://fhir.example.com/cds/", "--publisher", "A hospital")
    printed = json.loads(run("export", tmp_path, *options, "--json").stdout)
    counted = {path.name: len(list(path.iterdir())) for path in tmp_path.iterdir()}
    assert printed["artifacts"] == counted
    artifact = json.loads((tmp_path / "ValueSet" / "potassium.json").read_bytes())
    assert artifact["url"] == "https://fhir.example.com/cds/ValueSet/potassium"
    assert artifact["publisher"] == "A hospital"


@pytest.mark.parametrize(
    "options, text",
    [
        (("--canonical", "example.org"), "is no address"),
        (("--canonical", "https://a.org|1"), "is no address"),
        (("--publisher", " "), "name who publishes"),
    ],
)
def test_wrong_options_are_told_in_a_sentence(
    options: tuple[str, ...], text: str, tmp_path: Path
) -> None:
    result = run("export", tmp_path, *options, fails=True)
    assert result.exit_code == 2 and text in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_id_is_one_that_fhir_allows_and_stays_its_own() -> None:
    assert artifact_id("a_b", "C") == "a-b-C"
    long = [artifact_id("service", "x" * 70 + end) for end in "ab"]
    assert long[0] != long[1] and all(re.fullmatch(r"[A-Za-z0-9.-]{1,64}", each) for each in long)
    assert computable("25-oh.vitamin d") == "A25OhVitaminD"
