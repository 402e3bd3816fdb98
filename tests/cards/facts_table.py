"""The table of facts in cards/README.md, made from the rows of KINDS.

`python -m tests.cards.facts_table` writes it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cds_service.knowledge.facts.kind import Kind, members_of
from cds_service.knowledge.facts.kinds import KINDS

GUIDE = Path(__file__).parents[2] / "cards" / "README.md"
_HEAD = "| kind | options | members (the bare name means the first one) |\n|---|---|---|\n"
_END = "\n\n"


def table() -> str:
    """The table, a row a kind."""
    return _HEAD + "\n".join(map(_row, KINDS))


def table_in_guide() -> str:
    """The table as it stands in the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    return text[text.index(_HEAD) : text.index(_END, text.index(_HEAD))]


def _row(kind: Kind[Any, Any]) -> str:
    own, options = "", []
    for key, _, field in kind.schema.named_fields():
        gloss = field.metadata.get("guide", "")
        if key == kind.key:
            own = f"`{key}: {gloss}`"
        else:
            options.append(_with_gloss(key, gloss))
    members = (_with_gloss(name, gloss) for name, gloss in _members(kind))
    cells = (own, ", ".join(options), ", ".join(members))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _members(kind: Kind[Any, Any]) -> Iterable[tuple[str, str]]:
    """The members, what the bare name means before the others; `value` is another name of it."""
    glosses = {name: gloss for name, (_, gloss) in members_of(kind.fact).items()}
    yield kind.main, glosses.pop(kind.main)
    yield from ((name, gloss) for name, gloss in glosses.items() if name != "value")


def _with_gloss(name: str, gloss: str) -> str:
    return f"`{name}` ({gloss})" if gloss else f"`{name}`"


if __name__ == "__main__":
    text = GUIDE.read_text(encoding="utf-8")
    GUIDE.write_text(text.replace(table_in_guide(), table()), encoding="utf-8")
