"""Which value sets a CodeableConcept belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.knowledge.record.terminology import (
    ATC,
    ICD_10,
    ICD_10_CM,
    LOINC,
    RXNORM,
    SNOMED_CT,
    Negation,
    Phrases,
    Terminology,
    canonical,
    normalise,
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
NEGATION = Negation(("no", "without", "denies", "family history"), 4, ("history of",))
TERMINOLOGY = Terminology(CODES, PHRASES, NEGATION)


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
    ("alias", "system"),
    [
        ("urn:oid:2.16.840.1.113883.6.88", RXNORM),
        ("urn:oid:2.16.840.1.113883.6.73", ATC),
        ("http://www.whocc.no/atc/", ATC),
        ("urn:oid:2.16.840.1.113883.6.1", LOINC),
        ("https://loinc.org", LOINC),
        ("http://loinc.org/", LOINC),
        ("urn:oid:2.16.840.1.113883.6.3", ICD_10),
        ("https://codes.example.org", "https://codes.example.org"),
        (None, ""),
        (7, ""),
        ([], ""),
    ],
)
def test_the_address_of_a_system_is_made_canonical(alias: object, system: str) -> None:
    assert canonical(alias) == system


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


@pytest.mark.parametrize("code", [None, 48694002, True, [], {}, ""])
def test_a_code_that_is_no_text_does_not_match(code: object) -> None:
    assert by_code(SNOMED_CT, code) == frozenset()


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
    assert (match.codes, match.words, match.recognised) == (frozenset(), {"anxiety"}, True)


def test_the_display_of_a_coding_counts_as_words() -> None:
    concept = {"coding": [{"system": "urn:local", "code": "1", "display": "Anxiety"}]}
    match = TERMINOLOGY.match(concept)
    assert (match.words, match.recognised) == ({"anxiety"}, False)


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
    assert (match.codes, match.words, match.recognised) == (frozenset(), frozenset(), False)


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
