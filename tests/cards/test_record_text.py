"""The words of cards/record-text.yaml: a denial, a family or a past never gives an alarm."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from cds_service.knowledge import CDSService
from cds_service.knowledge.facts.medication import MedicationDefinition
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
        "{} excluded 3/2019",
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
        *("Her friend has {}", "Friend wants {}", "A neighbour attempted {}", "Su amiga tiene {}"),
        *(
            "Her mother had {}",
            "Lost a brother to {}",
            "{} by his father",
            "Caring for husband with {}",
        ),
        *("{} (father)", "Antecedentes familiares: {}", "Familienanamnese: {}", "{} of his son"),
    ),
}
OF_THE_PAST = (
    "{} resolved 2010",
    "H/O: {}",
    "History of {}",
    "Z.n. {}",
    "S/P {}",
    "{} resolved",
    "{} cured",
    "{} curado",
    "Antecedentes de {}",
)
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


def alarming(frame: str, words: Iterable[str]) -> dict[str, frozenset[str]]:
    """What gives an alarm in this frame; a phrase of several sets is read once."""
    return {phrase: found for phrase in set(words) if (found := alarms(frame.format(phrase)))}


FRAMES = [frame for frames in OF_NOBODY.values() for frame in frames]


@pytest.mark.parametrize("frame", [*FRAMES, *OF_THE_PAST])
def test_what_is_denied_of_another_or_over_gives_no_alarm(frame: str) -> None:
    words = (
        phrase
        for _, phrase in SPACED
        # In Spanish "absence of reflexes" is the finding, whatever the reflexes are called.
        if not (frame == "Ausencia de {}" and phrase.startswith("reflejos"))
    )
    assert not alarming(frame, words)


@pytest.mark.parametrize("frame", [*UNSPACED, *UNSPACED_PAST])
def test_the_same_holds_without_blanks(frame: str) -> None:
    assert not alarming(frame, (phrase for _, phrase in CHINESE))


@cache
def found_alone() -> dict[str, frozenset[str]]:
    """The sets of each phrase that are found in it when nothing else is said."""
    sets: dict[str, set[str]] = {}
    for set_id, phrase in SPACED:
        sets.setdefault(phrase, set()).add(set_id)
    return {phrase: reader().read(phrase).found & of_it for phrase, of_it in sets.items()}


STILL_SO = (
    *("Suspected {}", "?{}", "V.a. {}", "R/O {}", "{} not excluded", "No pain but {}"),
    *("Friend says she has {}", "Told her friend of {}", "Brought by a friend with {}"),
    *("Brought by mother with {}", "{} since a fall of her son", "{}, not on treatment"),
    *("{} witnessed by her daughter", "{} reported by wife", "{} observada por su hijo"),
    *("Mother says she has {}", "Husband found her with {}", "Told her husband of {}"),
    *("Mother of two with {}", "Mother concerned about {}", "Divorce from her husband, {}"),
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
    spared = denied | (OF_ANXIETY if frame == "R/O {}" else frozenset())
    lost = {
        phrase
        for phrase, sets in found_alone().items()
        if sets - spared - reader().read(frame.format(phrase)).found
    }
    assert not lost


# A word of degree, speed or side inside a phrase of several words.
@pytest.mark.parametrize(
    "degree", ["acute", "left", "progresiva", "grave", "zunehmende", "brutale"]
)
def test_a_degree_between_the_words_of_a_phrase_hides_nothing(degree: str) -> None:
    lost = set()
    for phrase, sets in found_alone().items():
        first, *others = phrase.split()
        if others:
            text = " ".join((first, degree, *others))
            reading = reader().read(text)
            if sets - reading.found - reading.barred:
                lost.add(text)
    assert not lost


def test_the_same_holds_in_chinese() -> None:
    degrees = record_text().negation.degrees
    alone = [
        (set_id, phrase)
        for set_id, phrase in CHINESE
        if set_id in reader().read(phrase).found and not any(each in phrase for each in degrees)
    ]
    lost = {
        text
        for set_id, phrase in alone
        for text in (f"{phrase[:2]}\u8fdb\u884c\u6027{phrase[2:]}",)
        if set_id not in (reading := reader().read(text)).found | reading.barred
    }
    assert alone and not lost


@pytest.mark.parametrize(
    ("set_id", "texts"),
    [
        (
            "text-progressive-weakness",
            ["Leg weakness, worsening over 4 days", "Debilidad ascendente", "下肢无力逐渐加重"],
        ),
        (
            "leg-weakness",
            ["Left leg weakness", "Debilidad progresiva en las piernas", "双下肢进行性无力"],
        ),
        ("guillain-barre-acute", ["Guillain-Barré syndrome", "吉兰-巴雷综合征"]),
        ("saddle-anaesthesia", ["Numbness in saddle area", "Hipoestesia perineal", "鞍区感觉减退"]),
        ("urinary-retention", ["Acute retention", "Retención aguda de orina", "无法排尿"]),
        ("facial-weakness", ["Drooping mouth", "Caída facial", "面瘫", "Hängender Mundwinkel"]),
        ("dysarthria-aphasia", ["Slurred speech", "Habla arrastrada", "构音障碍"]),
        ("stroke-tia-acute", ["New stroke", "Infarto cerebral agudo", "急性脑梗死"]),
        ("leg-swelling", ["Swollen left calf", "Pantorrilla izquierda hinchada", "左下肢肿胀"]),
        (
            "suicidal-ideation-or-self-harm",
            ["Wants to end her life", "Quiere quitarse la vida", "想结束生命", "割腕"],
        ),
        ("pulmonary-embolism", ["PE: pulmonary embolism", "Embolia pulmonar", "肺栓塞"]),
        ("fall-history", ["Hip fracture after a fall", "Caída en casa", "摔倒"]),
        ("dementia", ["Alzheimer's disease", "Enfermedad de Alzheimer", "阿尔茨海默病"]),
        ("bleeding-risk-condition", ["GI bleed", "Hemorragia intracraneal", "颅内出血"]),
        ("overdose-intentional", ["Took an overdose", "Tomó una sobredosis", "服药自杀"]),
        (
            "serotonin-syndrome",
            ["Serotonerges Syndrom", "Síndrome serotoninérgico", "5-羟色胺综合征"],
        ),
        ("bipolar-mania", ["BPAD II", "Cyclothymia", "Hipomanía", "Ciclotimia"]),
        ("sleep-apnoea", ["SAHS", "On CPAP", "Síndrome de apnea del sueño"]),
        ("copd", ["Chronic bronchitis", "Enfisema", "慢阻肺"]),
        ("liver-disease", ["NAFLD", "Hígado graso", "脂肪肝"]),
        ("substance-use-disorder", ["IVDU", "Cocaine misuse"]),
        ("heavy-alcohol-use", ["ETOH abuse", "Harmful drinking"]),
        ("severe-renal-impairment", ["ERC estadio 4", "Insuficiencia renal terminal"]),
        ("alcohol-withdrawal", ["DTs", "Síndrome de abstinencia alcohólica", "震颤谵妄"]),
        ("active-malignancy", ["Bronchialkarzinom", "Neoplasia maligna", "肺癌骨转移"]),
        (
            "hepatic-failure-decompensated-cirrhosis",
            ["Cirrhosis with ascites", "Cirrosis hepática descompensada", "肝硬化失代偿期"],
        ),
    ],
)
def test_a_danger_is_read_in_the_words_of_the_clinic(set_id: str, texts: list[str]) -> None:
    assert [text for text in texts if set_id not in reader().read(text).found] == []


@pytest.mark.parametrize(
    "text",
    [
        "Suicide risk: low",
        "Riesgo suicida bajo",
        "自杀风险低",
        "Progressive muscle relaxation",
        "Weakness worsening over the years",
        "Difficulty speaking English",
        "Difficulty speaking in public",
        "Swelling of both legs",
        "双下肢水肿",
        "Codeine-free cough syrup",
    ],
)
def test_words_that_only_resemble_a_danger_give_no_alarm(text: str) -> None:
    of_danger = {
        "suicidal-ideation-or-self-harm",
        "text-progressive-weakness",
        "dysarthria-aphasia",
        "leg-swelling",
        "codeine",
        "opioids",
    }
    assert not reader().read(text).found & of_danger


# What a narrow set means, the wide one means as well; so do its words.
@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("generalized-anxiety-disorder", "anxiety-disorder-any"),
        ("panic-disorder", "anxiety-disorder-any"),
        ("stroke-tia-acute", "stroke-tia"),
        ("suicide-attempt", "suicidal-ideation-or-self-harm"),
        ("overdose-intentional", "overdose-any-drug"),
        ("cauda-equina-syndrome", "cauda-equina-cord-compression"),
        ("cord-compression-malignant", "cauda-equina-cord-compression"),
        ("urinary-retention", "bladder-bowel-dysfunction"),
        ("faecal-incontinence", "bladder-bowel-dysfunction"),
        ("low-back-pain", "spinal-pain"),
        ("asthma-attack", "asthma"),
        ("acute-angle-closure-glaucoma", "angle-closure-glaucoma"),
        *((drug, "opioids") for drug in ("tramadol", "fentanyl", "codeine", "methadone")),
        *((drug, "benzodiazepines") for drug in ("alprazolam", "diazepam", "lorazepam")),
        *((drug, "ssris") for drug in ("sertraline", "paroxetine", "fluoxetine", "fluvoxamine")),
        *((drug, "snris") for drug in ("venlafaxine", "duloxetine")),
        ("citalopram-escitalopram", "ssris"),
        ("maois-lasting", "maois"),
        ("warfarin", "anticoagulants"),
    ],
)
def test_words_of_a_narrow_set_are_words_of_the_wide_one(narrow: str, wide: str) -> None:
    words = [phrase for set_id, phrase in phrases() if set_id == narrow]
    readings = {phrase: reader().read(phrase) for phrase in words}
    lost = {
        phrase
        for phrase, reading in readings.items()
        if narrow in reading.found and wide not in reading.found | reading.barred
    }
    assert words and not lost


CHINESE_LETTER = re.compile("[\u4e00-\u9fff]")


def test_every_set_of_medicines_that_a_fact_reads_has_a_chinese_name(service: CDSService) -> None:
    named = {
        set_id
        for set_id, words in record_text().phrases.items()
        if any(map(CHINESE_LETTER.search, words.match))
    }
    read = {
        set_id
        for definition in service.facts.values()
        if isinstance(definition, MedicationDefinition)
        for set_id in definition.value_sets
    }
    assert read & record_text().phrases.keys() <= named | {"caffeine-containing-drugs"}


@pytest.mark.parametrize(
    "text",
    ["Vitamin D3 1000 IU", "Vitamina D3", "维生素D3滴剂", "Amlodipine 5 mg", "氨氯地平片"]
    + ["Sulfonamide", "Sulfamidas", "磺胺", "Dust mite", "Ácaros del polvo", "螨虫"],
)
def test_a_common_substance_that_is_none_of_ours_is_understood(text: str) -> None:
    assert reader().read(text).found == {"text-other-substance"}
