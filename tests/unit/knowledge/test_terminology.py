"""Which value sets a CodeableConcept belongs to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.knowledge.record.clauses import normalise
from cds_service.knowledge.record.code_systems import CodeSystem, CodeSystems, Spoken
from cds_service.knowledge.record.negation import Negation
from cds_service.knowledge.record.phrases import Phrases, TextReader
from cds_service.knowledge.record.terminology import (
    ATC,
    ICD_10,
    ICD_10_CM,
    LOINC,
    RXNORM,
    SNOMED_CT,
    Terminology,
)

SYSTEMS = CodeSystems(
    [
        CodeSystem(SNOMED_CT, ("2.16.840.1.113883.6.96", "SNOMED-CT")),
        CodeSystem(RXNORM, ("2.16.840.1.113883.6.88",)),
        CodeSystem(ATC, ("2.16.840.1.113883.6.73",)),
        CodeSystem(LOINC, ("2.16.840.1.113883.6.1",)),
        CodeSystem(ICD_10_CM, ("2.16.840.1.113883.6.90", "icd10cm")),
        CodeSystem(
            ICD_10,
            ("2.16.840.1.113883.6.3", "icd10"),
            ("http://fhir.de/CodeSystem/bfarm/icd-10-gm",),
            4,
        ),
    ]
)
CODES = {
    SNOMED_CT: {"48694002": frozenset({"anxiety"}), "26544005": frozenset({"weakness"})},
    ICD_10_CM: {
        "F41": frozenset({"anxiety"}),
        "F411": frozenset({"general"}),
        "F488": frozenset({"odd-nonspecific"}),
    },
    ATC: {"N05BA": frozenset({"sedatives"}), "N05BA06": frozenset({"lorazepam"})},
    RXNORM: {"6470": frozenset({"sedatives", "lorazepam"})},
    LOINC: {"2823-3": frozenset({"potassium"})},
}
PHRASES = {
    "anxiety": Phrases(("anxiety", "nervios*", "état anxieux"), ("anxiety free", "separation*")),
    "weakness": Phrases(("leg weakness", "weak* legs")),
    "worry-zh": Phrases(("焦虑",), ("无焦虑",)),
    "sedatives": Phrases(("lorazepam",)),
}
NEGATION = Negation(
    ("no", "without", "denies", "family history", "ruled out"),
    4,
    past=("history of",),
    answers=("no",),
    after=("excluded", "denies", "ruled out"),
    past_after=("resolved",),
    tails=("by",),
    undecided=("not", "cannot"),
    contrast=("but",),
    now=("now",),
    joins=("with", "and"),
    fillers=("of", "is"),
    links=("of",),
    people=("mother", "son"),
)
TERMINOLOGY = Terminology(CODES, PHRASES, NEGATION, SYSTEMS)


def coded(system: object, code: object, **members: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **members}


def by_code(system: object, code: object) -> frozenset[str]:
    return TERMINOLOGY.match(coded(system, code)).codes


def by_text(text: object) -> frozenset[str]:
    match = TERMINOLOGY.match({"text": text})
    assert not match.codes
    return match.words


def test_an_exact_code_matches_in_its_own_system_only() -> None:
    assert by_code(SNOMED_CT, "48694002") == {"anxiety"}
    assert by_code(LOINC, "48694002") == frozenset()
    assert by_code(SNOMED_CT, "4869400") == frozenset()


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("urn:oid:2.16.840.1.113883.6.96", "48694002"),
        ("http://snomed.info/sct/", "48694002"),
        ("http://snomed.info/sct/731000124108", "48694002"),
        ("http://snomed.info/sct/731000124108/version/20240301", "48694002"),
        ("http://snomed.info/sct|http://snomed.info/sct/900000000000207008", "48694002"),
        ("urn:oid:2.16.840.1.113883.6.90", "F41.9"),
    ],
)
def test_another_name_of_a_system_is_the_same_system(system: str, code: str) -> None:
    assert by_code(system, code) == {"anxiety"}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("urn:oid:2.16.840.1.113883.6.88", RXNORM),
        ("urn:oid:2.16.840.1.113883.6.73", ATC),
        ("http://www.whocc.no/atc/", ATC),
        ("urn:oid:2.16.840.1.113883.6.1", LOINC),
        ("2.16.840.1.113883.6.1", LOINC),
        ("https://loinc.org", LOINC),
        ("http://loinc.org/", LOINC),
        ("HTTP://LOINC.ORG", LOINC),
        ("http://loinc.org|2.77", LOINC),
        ("https://snomed.info/sct", SNOMED_CT),
        ("snomed ct", SNOMED_CT),
        ("urn:oid:2.16.840.1.113883.6.3", ICD_10),
        ("ICD-10-CM", ICD_10_CM),
        ("ICD10CM", ICD_10_CM),
        ("icd_10 cm", ICD_10_CM),
    ],
)
def test_a_system_is_known_by_every_name(name: str, address: str) -> None:
    assert SYSTEMS.of(name) == Spoken(address)


@pytest.mark.parametrize("name", ["https://codes.example.org", "urn:oid:1.2.3", None, 7, [], ""])
def test_other_systems_are_not_spoken(name: object) -> None:
    assert SYSTEMS.of(name) is None


@pytest.mark.parametrize(
    ("name", "address", "characters"),
    [
        ("https://hospital.example.org/fhir/CodeSystem/icd-10-cm", ICD_10_CM, None),
        ("https://www.example.org.br/CodeSystem/BRCID10", ICD_10, 4),
        ("https://example.fr/terminologie-cim-10", ICD_10, 4),
    ],
)
def test_the_end_of_an_unknown_address_is_believed_for_what_it_finds_only(
    name: str, address: str, characters: int | None
) -> None:
    assert SYSTEMS.of(name) == Spoken(address, characters, is_sure=False)
    assert not TERMINOLOGY.match(coded(name, "Z99")).recognised


def test_the_procedures_of_icd_10_are_no_diagnoses() -> None:
    assert SYSTEMS.of("https://example.org/CodeSystem/icd-10-pcs") is None


def test_the_icd_10_of_a_country_shares_four_characters_with_that_of_who() -> None:
    german = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
    codes = {ICD_10: {"G834": frozenset({"cauda"}), "M6281": frozenset({"weak"})}}
    terminology = Terminology(codes, {}, NEGATION, SYSTEMS)
    for code in ("G83.4", "G83.49", "g834", "G83.4*", " G83.4 "):
        match = terminology.match(coded(german, code))
        assert (match.codes, match.recognised) == ({"cauda"}, {ICD_10})
    assert not terminology.match(coded(german, "M62.81")).codes


@pytest.mark.parametrize("code", ["F41", "F41.0", "F410", "f41.9", " F41.9 "])
def test_an_icd_code_belongs_to_its_heading_with_or_without_dot_and_in_any_case(code: str) -> None:
    assert by_code(ICD_10_CM, code) == {"anxiety"}


def test_an_icd_code_belongs_to_every_heading_above_it() -> None:
    assert by_code(ICD_10_CM, "F41.1") == {"anxiety", "general"}


@pytest.mark.parametrize("code", ["F4", "F40", "F42", "F", "", ".", "XF41"])
def test_a_code_that_is_shorter_or_beside_does_not_match(code: str) -> None:
    assert by_code(ICD_10_CM, code) == frozenset()


def test_a_code_of_international_icd_is_not_read_as_clinical_modification() -> None:
    assert by_code(ICD_10, "F41.1") == frozenset()


def test_an_atc_code_belongs_to_its_group() -> None:
    assert by_code(ATC, "N05BA01") == {"sedatives"}
    assert by_code(ATC, "N05BA06") == {"sedatives", "lorazepam"}
    assert by_code(ATC, "n05ba06") == {"sedatives", "lorazepam"}
    assert by_code(ATC, "N05B") == frozenset()


def test_a_code_without_headings_is_not_matched_by_prefix() -> None:
    assert by_code(LOINC, "2823-30") == frozenset()
    assert by_code(RXNORM, "64701") == frozenset()


@pytest.mark.parametrize("code", [None, True, [], {}, "", " "])
def test_a_code_that_is_no_text_does_not_match(code: object) -> None:
    assert by_code(SNOMED_CT, code) == frozenset()


def test_a_number_instead_of_a_text_is_a_code() -> None:
    assert by_code(SNOMED_CT, 48694002) == {"anxiety"}


@pytest.mark.parametrize(
    "expression",
    [
        "48694002:246112005=24484000",
        "48694002 |Anxiety| : 246112005 |Severity| = 24484000 |Severe|",
        "26544005 + 48694002",
    ],
)
def test_an_expression_belongs_to_the_sets_of_its_focus_and_is_not_understood(
    expression: str,
) -> None:
    match = TERMINOLOGY.match(coded(SNOMED_CT, expression))
    assert "anxiety" in match.codes
    assert not match.recognised


def test_what_only_refines_an_expression_does_not_count() -> None:
    assert by_code(SNOMED_CT, "413350009:246090004=48694002") == frozenset()


def test_a_code_of_absurd_length_costs_no_more_than_a_short_one() -> None:
    long = "F411" + "0" * 200_000
    assert by_code(ICD_10_CM, long) == {"anxiety", "general"}
    assert by_code(SNOMED_CT, "4" * 200_000) == frozenset()


def test_a_kind_of_resource_is_matched_against_its_own_sets() -> None:
    terminology = TERMINOLOGY.for_kinds(
        {"Condition": frozenset({"anxiety"}), "MedicationRequest": frozenset({"sedatives"})}
    )
    coded_anxiety = coded(SNOMED_CT, "48694002", text="lorazepam")
    assert terminology.match(coded_anxiety, "Condition").codes == {"anxiety"}
    of_medicine = terminology.match(coded_anxiety, "MedicationRequest")
    assert (of_medicine.codes, of_medicine.words) == (frozenset(), {"sedatives"})
    assert terminology.match(coded_anxiety).codes == {"anxiety"}


def test_a_code_whose_own_words_deny_it_is_told_so() -> None:
    match = TERMINOLOGY.match(coded(SNOMED_CT, "48694002", text="Anxiety: denies"))
    assert (match.codes, match.denied) == ({"anxiety"}, {"anxiety"})


@pytest.mark.parametrize("system", [None, 1, [], {}, ""])
def test_a_system_that_is_no_text_does_not_match(system: object) -> None:
    assert by_code(system, "48694002") == frozenset()


def test_of_several_codings_each_counts() -> None:
    concept = {
        "coding": [
            {"system": "https://local.example.org", "code": "1"},
            {"system": SNOMED_CT, "code": "48694002"},
            {"system": SNOMED_CT, "code": "26544005"},
        ]
    }
    assert TERMINOLOGY.match(concept).codes == {"anxiety", "weakness"}


def test_words_are_not_read_where_a_code_matched() -> None:
    match = TERMINOLOGY.match(coded(SNOMED_CT, "48694002", text="leg weakness"))
    assert (match.codes, match.words) == ({"anxiety"}, frozenset())


def test_words_are_read_beside_a_code_that_is_not_specific() -> None:
    match = TERMINOLOGY.match(coded(ICD_10_CM, "F48.8", text="leg weakness"))
    assert (match.codes, match.words) == ({"odd-nonspecific"}, {"weakness"})


def test_words_are_read_where_a_code_of_a_known_system_matched_nothing() -> None:
    match = TERMINOLOGY.match(coded(SNOMED_CT, "1", text="Anxiety"))
    assert (match.codes, match.words, match.recognised) == (frozenset(), {"anxiety"}, {SNOMED_CT})


def test_the_display_of_a_coding_counts_as_words() -> None:
    concept = {"coding": [{"system": "urn:local", "code": "1", "display": "Anxiety"}]}
    match = TERMINOLOGY.match(concept)
    assert (match.words, match.recognised) == ({"anxiety"}, frozenset())


def test_words_are_not_read_when_they_are_not_wanted() -> None:
    match = TERMINOLOGY.match({"text": "anxiety"}, with_words=False)
    assert not match.codes and not match.words


@pytest.mark.parametrize(
    "text",
    [
        "anxiety",
        "ANXIETY",
        "An-xi-ety? Anxiety!",
        "Anxiety, chronic",
        "an anxiety state",
        "ANXiety",
    ],
)
def test_text_is_read_whatever_its_case_and_punctuation(text: str) -> None:
    assert by_text(text) == {"anxiety"}


def test_tall_man_letters_are_read() -> None:
    assert by_text("LORazepam 1 mg tablet") == {"sedatives"}


@pytest.mark.parametrize(
    "text", ["Etat anxieux", "état anxieux", "e\u0301tat anxieux", "ÉTAT ANXIEUX"]
)
def test_accents_do_not_matter(text: str) -> None:
    assert by_text(text) == {"anxiety"}


def test_a_wildcard_stands_for_any_ending_of_its_word() -> None:
    assert by_text("nerviosismo") == {"anxiety"}
    assert by_text("nervios") == {"anxiety"}
    assert by_text("weakened legs") == {"weakness"}
    assert by_text("weak in the legs") == frozenset()


@pytest.mark.parametrize("text", ["anxietylike", "panxiety", "weakness", "leg", "legs weakness"])
def test_only_whole_words_in_order_match(text: str) -> None:
    assert by_text(text) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        *("no anxiety", "No obvious anxiety", "without anxiety", "denies any new anxiety"),
        *("Family history of anxiety", "family history: none; no anxiety", "NO ANXIETY"),
    ],
)
def test_a_negated_phrase_does_not_match(text: str) -> None:
    assert by_text(text) == frozenset()


def test_a_negation_reaches_no_further_than_its_window() -> None:
    assert by_text("no one two three anxiety") == frozenset()
    assert by_text("no one two three four anxiety") == {"anxiety"}


@pytest.mark.parametrize("text", ["no pain, anxiety", "No pain. Anxiety", "(no pain) anxiety"])
def test_a_negation_ends_with_its_clause(text: str) -> None:
    assert by_text(text) == {"anxiety"}


@pytest.mark.parametrize(
    "text",
    [
        *("FH: anxiety", "Family history of: anxiety", "Family history - anxiety"),
        *("Denies: pain, anxiety", "anxiety: no", "anxiety - denies", "Anxiety state (denies)"),
        *("anxiety excluded", "anxiety state ruled out by team", "anxiety (mother)"),
        *("anxiety of mother", "anxiety disorder of his son", "anxiety is excluded"),
    ],
)
def test_what_stands_beyond_a_mark_or_behind_turns_a_phrase_around(text: str) -> None:
    negation = replace(NEGATION, before=(*NEGATION.before, "fh"), fillers=("of", "is", "his"))
    reading = TextReader(PHRASES, negation).read(text)
    assert (reading.found, reading.denied) == (frozenset(), {"anxiety"})


@pytest.mark.parametrize(
    "text",
    [
        *(
            "anxiety, no plan",
            "anxiety - no plan",
            "anxiety no plan",
            "anxiety with panic excluded",
        ),
        *("anxiety not excluded", "anxiety cannot be excluded", "no pain but anxiety"),
        *("Denies: pain, now anxiety", "Pain: no, anxiety: yes", "no pain: anxiety"),
        *("anxiety and leg weakness excluded", "Pain (no). Anxiety", "anxiety denies plan"),
    ],
)
def test_what_speaks_of_something_else_leaves_a_phrase_as_it_is(text: str) -> None:
    assert "anxiety" in by_text(text)


def test_what_is_resolved_is_past() -> None:
    assert by_text("anxiety resolved") == {"past:anxiety"}
    assert by_text("history of: anxiety") == {"past:anxiety"}
    assert by_text("history of pain, now anxiety") == {"anxiety"}


def test_a_negation_after_the_phrase_does_not_turn_it_around() -> None:
    assert by_text("anxiety without panic") == {"anxiety"}


def test_one_affirmed_mention_is_enough() -> None:
    assert by_text("no anxiety in the morning; anxiety at night") == {"anxiety"}


def test_a_forbidding_phrase_anywhere_keeps_its_own_set_from_matching_only() -> None:
    assert by_text("anxiety free; leg weakness") == {"weakness"}
    assert by_text("separation-type anxiety with leg weakness") == {"weakness"}


def test_what_is_over_belongs_to_the_past_of_the_set() -> None:
    assert by_text("history of anxiety") == {"past:anxiety"}
    assert by_text("no history of anxiety") == frozenset()


def test_chinese_is_found_without_blanks_between_words() -> None:
    assert by_text("患者长期焦虑伴失眠") == {"worry-zh"}
    assert by_text("患者无焦虑") == frozenset()


def test_very_long_text_is_read_at_its_beginning_only() -> None:
    assert by_text("anxiety " + "x" * 10_000) == {"anxiety"}
    assert by_text("x " * 200 + "anxiety") == frozenset()


@pytest.mark.parametrize("text", [None, 1, [], {}, True, "", " ", "\u0000", "*", "(((", "\ud800"])
def test_text_that_says_nothing_matches_nothing(text: object) -> None:
    assert by_text(text) == frozenset()


@pytest.mark.parametrize(
    "concept",
    [
        *(None, "anxiety", 1, True, [], {}, [{"text": "anxiety"}]),
        *({"coding": None}, {"coding": "F41"}, {"coding": [None, 1, "F41", []]}),
    ],
)
def test_a_shape_that_is_no_concept_matches_nothing(concept: object) -> None:
    match = TERMINOLOGY.match(concept)
    assert (match.codes, match.words, match.recognised) == (frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Crohn's disease", "crohns disease"),
        ("  a--b_c  ", "a b c"),
        ("weak* legs", "weak* legs"),
        ("Ménière\u200b", "meniere"),
        ("ﬁbro", "fibro"),
        ("50% off", "50 off"),
        ("", ""),
    ],
)
def test_text_is_normalised_to_lower_case_words(text: str, normal: str) -> None:
    assert normalise(text) == normal
