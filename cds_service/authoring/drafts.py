"""New content to begin with: a service, a rule, a language; drafts that say what to fill in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from string import Template

from cds_service.errors import CDSError
from cds_service.knowledge import CDSService
from cds_service.knowledge.content.artifacts import DIFFERENTIAL
from cds_service.knowledge.expressions.expressions import BOOLEAN, NUMBER
from cds_service.knowledge.expressions.spelling import meant
from cds_service.knowledge.facts.kinds import types_of

_SERVICE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RULE_ID = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
_SKELETONS = files("cds_service") / "authoring" / "skeletons"

# What is written: for each file, relative to cards/, the text that is added to its end.
Draft = Mapping[Path, str]


class DraftRefused(CDSError):
    """What was asked for cannot be begun; the text says why and what to do."""


def new_service(id_: str, language: str, today: date) -> Draft:
    """The three files of a service with one rule. Raises DraftRefused for an id that cannot be."""
    if not _SERVICE_ID.fullmatch(id_):
        raise DraftRefused(f"{id_}: an id has small letters and figures, with hyphens between")
    rule = _filled("rules.yaml", rule="R1", fact="age", slot="advice", today=today.isoformat())
    words = f"{_text('service.md')}\n{_filled('rules.md', rule='R1')}"
    folder = Path(id_)
    return {
        folder / "service.yaml": _text("service.yaml"),
        folder / "rules" / "first.yaml": rule,
        folder / "words" / language / "first.md": words,
    }


def new_rule(id_: str, service: CDSService, topic: str, fact: str, today: date) -> Draft:
    """A rule at the end of a topic of rules, and its words in the default language.

    Raises DraftRefused if the id is taken, or no condition can be made of the fact.
    """
    if not _RULE_ID.fullmatch(id_):
        raise DraftRefused(f"{id_}: an id has letters and figures, with hyphens between")
    if not _SERVICE_ID.fullmatch(topic):
        raise DraftRefused(f"{topic}: a topic has small letters and figures, with hyphens between")
    if id_ in service.governed or (id_, "warning") in service.words[service.default_language].texts:
        raise DraftRefused(f"{service.id} has {id_} already; choose another id")
    slots = [slot.id for slot in service.slots if slot.kind != DIFFERENTIAL]
    if not slots:
        raise DraftRefused(f"{service.id} has no slot for a card; add one to its service.yaml")
    if fact not in service.facts:
        near = meant(fact, service.facts)
        raise DraftRefused(f"{service.id} has no fact {fact}{near}; name one with --fact")
    type_ = types_of({fact: service.facts[fact]})[f"{fact}.value"]
    skeleton = {NUMBER: "rules.yaml", BOOLEAN: "rules-of-presence.yaml"}.get(type_)
    if skeleton is None:
        raise DraftRefused(f"{fact} is a {type_}; name a fact that is a number, or true or false")
    rule = _filled(skeleton, rule=id_, fact=fact, slot=slots[0], today=today.isoformat())
    folder, words = Path(service.id), _filled("rules.md", rule=id_)
    return {
        folder / "rules" / f"{topic}.yaml": f"\n{rule}",
        folder / "words" / service.default_language / f"{topic}.md": f"\n{words}",
    }


def new_language(tag: str, service: CDSService, default: Mapping[Path, str]) -> Draft:
    """The texts that a language needs for itself, still in the default language.

    `default` has the files of words of the default language. All other texts are shown in the
    default language until they are translated. Raises DraftRefused for a tag that cannot be.
    """
    if not _LANGUAGE.fullmatch(tag):
        raise DraftRefused(f"{tag}: expected a language such as fr, pt-BR or zh-Hans")
    if tag in service.languages:
        raise DraftRefused(f"{service.id} has words in {tag} already")
    borrowed = {*service.governed, *service.facts}
    folder = Path(service.id) / "words" / tag
    kept = {folder / path: _without(text, borrowed) for path, text in default.items()}
    return {path: text for path, text in kept.items() if text.strip()}


def _without(text: str, ids: set[str]) -> str:
    """A file of words without the texts of some ids."""
    sections = re.split(r"(?m)^(?=# )", text)
    return "".join(each for each in sections if _id_of(each) not in ids)


def _id_of(section: str) -> str:
    return section.removeprefix("# ").partition("\n")[0].partition(" ")[0]


def _text(name: str) -> str:
    return (_SKELETONS / name).read_text(encoding="utf-8")


def _filled(name: str, **values: str) -> str:
    return Template(_text(name)).substitute(values)
