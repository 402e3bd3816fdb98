"""The knowledge as documents: conditions in words, labels in every language, every part told."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.catalogue.attributes import DATA, attributes_document
from cds_service.catalogue.cards import StoredCard, StoredRule, card_document
from cds_service.catalogue.causes import cause_of
from cds_service.catalogue.conditions import Saying
from cds_service.catalogue.contents import contents_document, facts_document, search_document
from cds_service.catalogue.document import (
    FACTS,
    KINDS,
    SOURCES,
    VALUE_SETS,
    Address,
    Document,
    Item,
    Items,
    Line,
    Paragraph,
    Prose,
    Table,
    Terms,
    plain,
)
from cds_service.catalogue.documents import document_at, edition_of, editions_of, in_force
from cds_service.catalogue.edition import Edition
from cds_service.catalogue.labels import LANGUAGES, Labels
from cds_service.catalogue.rules import rule_of
from cds_service.catalogue.shared import sources_document, value_sets_document
from cds_service.errors import KnowledgeError
from cds_service.knowledge import Knowledge, load
from cds_service.knowledge.content.words import Placeholder
from cds_service.knowledge.expressions.expressions import BOOLEAN, compile_expression
from cds_service.knowledge.facts.kind import Kind
from cds_service.knowledge.facts.kinds import KINDS as FACT_KINDS
from cds_service.knowledge.facts.kinds import kind_of, types_of

SERVICE = "anxiety-leg-weakness"
TINY = Path(__file__).parent.parent / "tiny_cards"


@pytest.fixture(scope="module", params=LANGUAGES)
def editions(request: pytest.FixtureRequest, cards: Knowledge) -> list[Edition]:
    return editions_of(cards, request.param)


@pytest.fixture(scope="module")
def edition(cards: Knowledge) -> Edition:
    return edition_of(editions_of(cards, "en"), SERVICE)


def told(document: Document) -> str:
    """All the text of a document."""
    return "\n".join(_texts(document))


def _texts(document: Document) -> list[str]:
    texts = [document.title, document.lead]
    for section in document.sections:
        texts.append(section.heading)
        for block in section.blocks:
            match block:
                case Paragraph(line):
                    texts.append(plain(line))
                case Prose(markdown):
                    texts.append(markdown)
                case Terms(rows):
                    texts += [f"{name}: {plain(line)}" for name, line in rows]
                case Items(items):
                    texts += _items(items)
                case Table(caption, columns, rows):
                    texts += [caption, *columns, *(" | ".join(map(plain, row)) for row in rows)]
                case formula:
                    texts.append(formula.text)
    return texts


def _items(items: tuple[Item, ...] | list[Item]) -> list[str]:
    return [text for item in items for text in (plain(item.line), *_items(list(item.below)))]


def said(edition: Edition, text: str, types: dict[str, str] | None = None) -> list[str]:
    """A condition in words, each item in a line."""
    condition = compile_expression(text, types or types_of(edition.service.facts))
    return _items([Saying(edition).condition(condition)])


# -- labels --------------------------------------------------------------------------------------


def test_every_label_has_the_same_gaps_in_every_language() -> None:
    first, *others = (Labels(language) for language in LANGUAGES)
    for label, text in first._texts.items():
        gaps = sorted(re.findall(r"\{(\w+)\}", text))
        for other in others:
            assert sorted(re.findall(r"\{(\w+)\}", other.say(label))) == gaps, label


def test_a_language_without_labels_gets_english() -> None:
    assert Labels("fr").language == "en" and Labels("fr").say("rules") == "Rules"


@pytest.mark.parametrize("kind", FACT_KINDS, ids=lambda kind: kind.key)
def test_every_kind_of_fact_has_labels_for_its_options_and_members(kind: Kind[Any, Any]) -> None:
    labels = Labels("en")
    assert labels.has(f"fact {kind.key}")
    for option in (kind.key, *kind.options()):
        assert labels.has(f"option {option}"), option


def test_every_member_of_a_fact_can_be_said(edition: Edition) -> None:
    types = types_of(edition.service.facts)
    for name, definition in edition.service.facts.items():
        for member, type_ in kind_of(definition).members(definition).items():
            path = f"%{name}.{member}"
            texts = said(edition, path if type_ == BOOLEAN else f"{path}.exists()", types)
            assert all(texts), path


# -- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("true", ["for every patient"]),
        ("%age >= 65", ["age is at least 65 years"]),
        ("%age", ["age"]),
        ("%potassium.value < 2.5", ["potassium is below 2.5 mmol/L"]),
        ("%opioid.active", ["opioid is taken now"]),
        ("%opioid.active.not()", ["not: opioid is taken now"]),
        ("%copd.present.exists()", ["it is known whether COPD is on record"]),
        ("%albumin.value.exists().not()", ["albumin is not known"]),
        ("%copd.latest_days <= 1", ["the time since COPD last began is at most 1 day"]),
        ("%sex = 'male'", ["sex is male"]),
        (
            "%potassium.state in ('missing' | 'stale')",
            ["the state of potassium is one of missing, stale"],
        ),
        (
            "%opioid.active and (%age >= 65 or %copd.present)",
            [
                "all of these hold:",
                "opioid is taken now",
                "at least one of these holds:",
                "age is at least 65 years",
                "COPD is on record",
            ],
        ),
        (
            "%copd.latest_days <= 7 or (%copd.latest_days <= 7).exists().not()",
            ["the time since COPD last began is at most 7 days, or that is not known"],
        ),
        (
            "(%opioid.active and %copd.present).not()",
            [
                "this does not hold:",
                "all of these hold:",
                "opioid is taken now",
                "COPD is on record",
            ],
        ),
    ],
)
def test_a_condition_is_said_in_words(edition: Edition, condition: str, words: list[str]) -> None:
    assert said(edition, condition) == words


def test_a_computed_fact_is_said_with_what_it_is_computed_from(edition: Edition) -> None:
    rule = rule_of(edition, "R51")
    texts = _items([Saying(edition, expanded=True).condition(rule.levels["critical"])])
    assert "risk to breathing, that is: at least one of these holds:" in texts
    assert "age is at least 65 years" in texts


def test_every_condition_can_be_said(editions: list[Edition]) -> None:
    for edition in editions:
        saying = Saying(edition, expanded=True)
        for condition in edition.service.conditions:
            assert all(_items([saying.condition(condition)])), condition.text


# -- documents -----------------------------------------------------------------------------------


def _addresses(editions: list[Edition]) -> list[Address]:
    first = editions[0]
    found = [edition.address(id_) for edition in editions for id_ in edition.service.governed]
    for edition in editions:
        service = edition.service
        found += [Address(FACTS, name, service.id, service.version) for name in service.facts]
    found += [
        Address(VALUE_SETS, id_, version=each.version)
        for id_, each in first.knowledge.value_sets.items()
    ]
    return found + [Address(SOURCES, key) for key in first.service.sources]


def test_everything_has_a_document_and_every_link_in_it_leads_to_one(
    editions: list[Edition],
) -> None:
    addresses = _addresses(editions)
    assert {address.kind for address in addresses} == set(KINDS)
    known = set(addresses)
    linked: set[Address] = set()
    for address in addresses:
        document = document_at(editions, address)
        assert document.title and document.lead
        linked |= _linked(document)
    lists = (value_sets_document(editions), sources_document(editions))
    for document in (*lists, *map(contents_document, editions), *map(facts_document, editions)):
        linked |= _linked(document)
    assert linked - known == set()
    assert known - linked == set()


def _linked(document: Document) -> set[Address]:
    found: set[Address] = set()
    for section in document.sections:
        for block in section.blocks:
            match block:
                case Paragraph(line):
                    lines = [line]
                case Terms(rows):
                    lines = [line for _, line in rows]
                case Table(_, _, rows):
                    lines = [line for row in rows for line in row]
                case Items(items):
                    lines = _lines(items)
                case _:
                    lines = []
            found |= {
                run.to for line in lines for run in line if not isinstance(run, str) and run.to
            }
    return found


def _lines(items: Iterable[Item]) -> list[Line]:
    return [line for item in items for line in (item.line, *_lines(item.below))]


def test_a_rule_is_told_whole(edition: Edition) -> None:
    rule = rule_of(edition, "R51")
    text = told(document_at([edition], edition.address("R51")))
    assert text.startswith("R51 Benzodiazepine with an opioid\nRule R51, version 1.1.0. Draft")
    for condition in rule.conditions:
        assert condition.text in text
    for key in rule.governance.sources:
        source = edition.service.sources[key]
        assert source.label in text
        assert source.url is None or source.url in text
    for example in rule.examples:
        assert example.name in text
    assert "age is at least 65 years | risk to breathing" in text
    assert "Interrupts: yes, as critical, warning" in text
    assert "Opens the gate without the symptom: warning" in text
    assert "D1 Benzodiazepines, whenever the rule applies" in text
    assert "Date of birth (age)" in text and "Reviewer: none yet" in text


def test_no_placeholder_is_left_in_a_document(editions: list[Edition]) -> None:
    for address in _addresses(editions):
        text = told(document_at(editions, address))
        assert "{{" not in text and "{fact}" not in text


def test_words_in_another_language_are_in_that_language(cards: Knowledge) -> None:
    edition = edition_of(editions_of(cards, "es"), SERVICE)
    text = told(document_at([edition], edition.address("R20")))
    assert text.startswith("R20 Cola de caballo\nRegla R20, versión")
    literals = [
        piece
        for part in ("critical",)
        for piece in edition.words.texts["R20", part].pieces
        if not isinstance(piece, Placeholder) and len(piece) > 40
    ]
    assert literals and all(literal in text for literal in literals)


def test_a_cause_is_told_with_its_points_and_offers(edition: Edition) -> None:
    cause = cause_of(edition, "C1")
    text = told(document_at([edition], edition.address("C1")))
    for condition in cause.conditions:
        assert condition.text in text or not condition.facts
    assert "4 points for each, at most 4" in text
    assert "M01 Slow breathing" in text


def test_an_address_is_in_force_only_in_its_kind(edition: Edition) -> None:
    assert in_force([edition], Address("rules", "R51", SERVICE)).version == "1.1.0"
    for wrong in (
        Address("causes", "R51", SERVICE),
        Address("rules", "R51", "another"),
        Address("rules", "lorazepam", SERVICE),
        Address("nothing", "R51", SERVICE),
        Address(FACTS, "R51", SERVICE),
        Address(VALUE_SETS, "R51"),
        Address(SOURCES, "R51"),
    ):
        with pytest.raises(KeyError):
            in_force([edition], wrong)


# -- cards ---------------------------------------------------------------------------------------

CARD = StoredCard(
    "2026.11.1",
    "differential",
    "info",
    [StoredRule("R28", "1.0.0", "info"), StoredRule("C4", "1.1.0", "listed")],
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_short_card_leaves_out_stands_on_its_page(cards: Knowledge, language: str) -> None:
    edition = edition_of(editions_of(cards, language), SERVICE)
    text = told(card_document(edition, replace(CARD, knowledge_version=cards.version)))
    words, cause = edition.words, cause_of(edition, "C4")
    assert words.plain("C4", "mechanism") in text
    for measure in cause.measures:
        assert words.plain(measure, "text") in text
    for class_id in cause.classes:
        assert words.plain(class_id, f"for {cause.id}") in text
    for drug in ("sertraline", "paroxetine", "duloxetine"):
        assert words.plain("R93", drug) in text
    assert words.plain("R12", "option") in text
    assert edition.labels.say("in general") in text
    assert edition.labels.say("for everybody") in text


def test_a_measure_that_is_advised_against_is_nowhere_offered(edition: Edition) -> None:
    advised_against = edition.title("M02")
    card = replace(CARD, rules=[StoredRule("C1", "1.1.0", "listed")])
    [lines] = [
        block
        for block in card_document(edition, card).sections[1].blocks
        if isinstance(block, Items) and "M01" in plain(block.items[0].line)
    ]
    assert all("M02" not in plain(item.line) for item in lines.items)
    text = told(document_at([edition], edition.address("C1")))
    offered, against = (
        next(line for line in text.splitlines() if line.startswith(start))
        for start in ("Measures without drugs: ", "Advised against")
    )
    assert advised_against not in offered and advised_against in against


def test_a_card_of_an_older_content_says_so(edition: Edition) -> None:
    rules = [StoredRule("R20", "0.9.0", "critical"), StoredRule("R999", "1.0.0", "warning")]
    text = told(card_document(edition, StoredCard("2025.1.1", "finding", "critical", rules)))
    assert "The card was made with content 2025.1.1." in text
    assert "It was version 0.9.0 then and is 1.0.0 now." in text
    assert "No longer in the content: R999." in text
    assert edition.labels.say("for everybody") not in text


def test_a_card_without_rules_says_what_it_is(edition: Edition) -> None:
    text = told(card_document(edition, StoredCard("2026.11.1", "unchecked", "info", [])))
    assert "No rule is behind this card" in text


# -- search --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("r51", "R51 Benzodiazepine with an opioid"),
        ("2823-3", "Potassium, blood or serum"),
        ("guillain power reflexes", "R22 Rapidly progressive weakness"),
        ("NG127", "NICE NG127: suspected neurological conditions (2023)"),
    ],
)
def test_a_search_finds_ids_words_codes_and_sources(
    edition: Edition, wanted: str, first: str
) -> None:
    texts = _texts(search_document([edition], wanted))
    assert first in texts


@pytest.mark.parametrize("wanted", ["zzzzz", "<script>", "%", "  "])
def test_a_search_that_finds_nothing_says_so(edition: Edition, wanted: str) -> None:
    assert "Nothing has all these words" in told(search_document([edition], wanted)) or (
        wanted == "%"
    )


# -- source attributes ---------------------------------------------------------------------------


def test_the_thirteen_attributes_name_the_rules_that_use_them(edition: Edition) -> None:
    [table] = [
        block
        for block in attributes_document(edition).sections[0].blocks
        if isinstance(block, Table)
    ]
    rows = {plain(row[0]): plain(row[1]) for row in table.rows}
    assert [name.partition(".")[0] for name in rows] == [str(number) for number in range(1, 14)]
    used = {name.partition(". ")[2]: text for name, text in rows.items()}
    assert "R51 Benzodiazepine with an opioid (age" in used["Date of birth"]
    assert "R36 Anaemia" in used["Sex"]
    for name in ("Race", "Ethnicity", "Language", "Sexual orientation", "Gender identity"):
        assert used[name] == "Not used."
    assert "a stressful event" in used["Social determinants of health"]
    assert "GAD-7" in used["Health status assessments"]
    assert len(DATA) == 9


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "cards"))


def _attributes(folder: Path) -> dict[str, str]:
    knowledge = load(folder)
    [edition] = editions_of(knowledge, "en")
    table = attributes_document(edition).sections[0].blocks[0]
    assert isinstance(table, Table)
    return {plain(row[0]).partition(". ")[2]: plain(row[1]) for row in table.rows}


def test_a_rule_that_newly_reads_sex_changes_the_page(tiny: Path) -> None:
    assert _attributes(tiny)["Sex"] == "Not used."
    facts, rules = tiny / "legs" / "facts.yaml", tiny / "legs" / "rules" / "scope.yaml"
    facts.write_text(facts.read_text() + "\nsex: {patient: sex}\n")
    old, new = (
        '"%deceased or %age < 18"',
        "\"%deceased or %age < 18 or (%sex.exists() and %sex = 'other')\"",
    )
    assert old in rules.read_text()
    rules.write_text(rules.read_text().replace(old, new))
    assert "S1" in _attributes(tiny)["Sex"] and "(sex)" in _attributes(tiny)["Sex"]


def test_a_value_set_that_is_named_as_social_changes_the_page(tiny: Path) -> None:
    assert _attributes(tiny)["Social determinants of health"] == "Not used."
    (tiny / "source-attributes.yaml").write_text("social_determinants: [opioids]\n")
    assert "(opioid)" in _attributes(tiny)["Social determinants of health"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("sex: [no-such-set]", "there is no value set no-such-set"),
        ("shoe_size: [opioids]", "unknown key"),
        ("sex: opioids", "Not a valid list"),
    ],
)
def test_a_wrong_file_of_source_attributes_stops_the_start(
    tiny: Path, written: str, problem: str
) -> None:
    (tiny / "source-attributes.yaml").write_text(written + "\n")
    with pytest.raises(KnowledgeError, match=problem):
        load(tiny)


def test_a_service_without_causes_or_drugs_has_documents_too(cards: Knowledge) -> None:
    for edition in editions_of(cards, "es"):
        toy = replace(edition, labels=Labels("es"))
        assert told(contents_document(toy)).startswith(edition.service.title)
