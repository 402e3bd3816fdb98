"""What the guide says of facts is what the kinds of facts are."""

from __future__ import annotations

from . import facts_table


def test_the_table_in_the_guide_is_made_from_the_kinds() -> None:
    """`python -m tests.cards.facts_table` writes it."""
    assert facts_table.table_in_guide() == facts_table.table()
