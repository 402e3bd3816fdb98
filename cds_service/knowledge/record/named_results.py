"""Results that came without any code: known by their whole name, with a value behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cds_service.knowledge.call import Resource
from cds_service.knowledge.record.clauses import normalise

_LONGEST = 100  # characters of a name with its value
_BEFORE_A_VALUE = re.compile(r"[\s:=]+(?=[<>\u2264\u2265]?\s*\d)|(?<=[\u4e00-\u9fff])(?=\d)")


@dataclass(frozen=True, slots=True)
class NamedResults:
    """The value set of each name, from `results` in record-text.yaml; names are normalised.

    There are too many similar words for tests to search for one inside a text: the whole text must
    be the name, or the name and a value, as in "Kalium 2.3 mmol/l".
    """

    set_of: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Mapping[str, Iterable[str]]) -> NamedResults:
        """From the names by value set."""
        return cls({normalise(name): set_id for set_id in names for name in names[set_id]})

    def read(self, element: Resource) -> tuple[str, Resource] | None:
        """The value set of a result that has no code, and the result with the value of its name.

        None where it has a code, or no name that we know.
        """
        concept = element.get("code")
        if not isinstance(concept, dict) or concept.get("coding"):
            return None
        text = concept.get("text")
        if not isinstance(text, str) or len(text) > _LONGEST:
            return None
        for name, value in _splits(text.strip()):
            set_id = self.set_of.get(normalise(name))
            if set_id is not None:
                has_value = not value or any(member.startswith("value") for member in element)
                return set_id, element if has_value else {**element, "valueString": value}
        return None


def _splits(text: str) -> Iterable[tuple[str, str]]:
    """A text as a name alone, and as a name with each value that may stand behind it."""
    yield text, ""
    for gap in _BEFORE_A_VALUE.finditer(text):
        yield text[: gap.start()], text[gap.end() :]
