"""The words of cards/record-text.yaml: a denial, a family or a past never gives an alarm."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from cds_service.knowledge.loading.library import Problems, load_record_text
from cds_service.knowledge.loading.library_files import RecordText
from cds_service.knowledge.record.clauses import is_unspaced
from cds_service.knowledge.record.phrases import TextReader

CARDS = Path(__file__).parents[2] / "cards"
OF_NOBODY = {
    "en": (
        "No {}",
        "Denies {}",
        "{}: no",
        "{} - denies",
        "{} excluded",
        "{} (not present)",
        "{} (-)",
        "{} -ve",
    ),
    "es": ("Sin {}", "Niega {}", "{}: negado", "{} descartada", "Ausencia de {}", "No presenta {}"),
    "de": ("Kein {}", "Ausschluss {}", "{} ausgeschlossen", "{}: verneint", "Ohne {}"),
    "fr": ("Pas de {}", "{} exclu", "Absence de {}", "{}: non"),
    "pt": ("Sem {}", "Nega {}", "{} afastada", "{}: nao", "Não tem {}"),
    "it": ("Assenza di {}", "Nega {}", "{} del padre"),
    "nl": ("Geen {}", "{} van vader"),
    "other people": (
        *(
            "Fam. history - {}",
            "FH: {}",
            "Family history of {}",
            "Family history: {}",
            "FH - {}",
            "{} in mother",
        ),
        *("{} (father)", "Antecedentes familiares: {}", "Familienanamnese: {}", "{} of his son"),
    ),
}
OF_THE_PAST = ("H/O: {}", "History of {}", "Z.n. {}", "S/P {}", "{} resolved", "Antecedentes de {}")
UNSPACED = (
    "无{}",
    "否认{}",
    "{}：无",
    "未引出{}",
    "家族史：{}",
    "{}已排除",
    "父亲{}",
    "否认胸痛、{}",
)
UNSPACED_PAST = ("既往{}", "既往史：{}", "{}病史")


@cache
def record_text() -> RecordText:
    return load_record_text(CARDS / "record-text.yaml", {}, Problems(CARDS))


@cache
def reader() -> TextReader:
    text = record_text()
    return TextReader(text.phrases, text.negation)


def alarms(text: str) -> frozenset[str]:
    return frozenset(
        found for found in reader().read(text).found if not found.startswith(("past:", "text-"))
    )


# Sets whose phrases are denials or histories themselves, or speak of what befalls others.
_OF_THEIR_OWN = ("text-", "stressful-life-event")


def phrases() -> list[tuple[str, str]]:
    return sorted(
        (set_id, phrase.replace("*", ""))
        for set_id, words in record_text().phrases.items()
        for phrase in words.match
        if not set_id.startswith(_OF_THEIR_OWN)
    )


SPACED = [each for each in phrases() if not is_unspaced(each[1])]
CHINESE = [each for each in phrases() if is_unspaced(each[1])]
FRAMES = [frame for frames in OF_NOBODY.values() for frame in frames]


@pytest.mark.parametrize("frame", [*FRAMES, *OF_THE_PAST])
def test_what_is_denied_of_another_or_over_gives_no_alarm(frame: str) -> None:
    alarmed = {phrase: found for _, phrase in SPACED if (found := alarms(frame.format(phrase)))}
    assert not alarmed


@pytest.mark.parametrize("frame", [*UNSPACED, *UNSPACED_PAST])
def test_the_same_holds_without_blanks(frame: str) -> None:
    alarmed = {phrase: found for _, phrase in CHINESE if (found := alarms(frame.format(phrase)))}
    assert not alarmed


@cache
def found_alone() -> list[tuple[str, str]]:
    return [each for each in SPACED if each[0] in reader().read(each[1]).found]


STILL_SO = (
    *("Suspected {}", "?{}", "V.a. {}", "R/O {}", "{} not excluded", "No pain but {}"),
    *("Brought by mother with {}", "{} since a fall of her son", "{}, not on treatment"),
    "{} resolved in 2019, now again",
)


# Anxiety that is to be ruled out opens no card; a danger that is to be ruled out stays one.
OF_ANXIETY = frozenset(
    {
        "anxiety-finding",
        "anxiety-disorder-any",
        "anxiety-disorder-unspecified",
        "chronic-anxiety",
        "generalized-anxiety-disorder",
        "panic-disorder",
    }
)


@pytest.mark.parametrize("text", ["R/O anxiety", "Rule out GAD", "Query panic disorder"])
def test_anxiety_that_is_to_be_ruled_out_is_none(text: str) -> None:
    assert not reader().read(text).found & OF_ANXIETY


@pytest.mark.parametrize("frame", [*STILL_SO, "{}, no plan", "{} - reviewed", "Denies pain; {}"])
def test_what_is_suspected_or_not_decided_stays(frame: str) -> None:
    denied = reader().read(frame.format("")).denied
    lost = {
        phrase
        for set_id, phrase in found_alone()
        if not (frame == "R/O {}" and set_id in OF_ANXIETY)
        if set_id not in denied and set_id not in reader().read(frame.format(phrase)).found
    }
    assert not lost
