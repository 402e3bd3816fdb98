"""A stratified sample of openings: the same number of each kind of answer, drawn by a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cds_service.simulation.database import DuckDBPyConnection

NO_CARD = "no card"


@dataclass(frozen=True, slots=True)
class Drawn:
    """An opening that was drawn; its stratum has so many openings.

    `instant` is its time in ISO 8601 if that is known. A stratum is the slot and the indicator of
    the first card, or NO_CARD.
    """

    patient: str
    opened: date
    instant: str | None
    stratum: str
    openings: int

    @property
    def moment(self) -> datetime:
        """The time of an opening that has one, or the day as a time."""
        return datetime.fromisoformat(self.instant or self.opened.isoformat())


def draw(database: DuckDBPyConnection, count: int, seed: int) -> Sequence[Drawn]:
    """Draw openings from all strata in turn, of each patient at most one.

    Fewer come if there are fewer patients. The order is the one in which they were drawn, mixed, so
    that it tells nothing about the stratum.
    """
    rows = database.execute(_CANDIDATES, [seed, count * 2]).fetchall()
    strata: dict[str, list[Drawn]] = {}
    for *values, _ in rows:
        drawn = Drawn(*values)
        strata.setdefault(drawn.stratum, []).append(drawn)
    turns = {row[:3]: row[-1] for row in rows}
    chosen = list(_in_turn(strata, count))
    return sorted(chosen, key=lambda drawn: turns[drawn.patient, drawn.opened, drawn.instant])


def _in_turn(strata: dict[str, list[Drawn]], count: int) -> Iterator[Drawn]:
    taken: set[str] = set()
    waiting = [iter(strata[name]) for name in sorted(strata)]
    while waiting and len(taken) < count:
        for candidates in list(waiting):
            drawn = next((each for each in candidates if each.patient not in taken), None)
            if drawn is None:
                waiting.remove(candidates)
            elif len(taken) < count:
                taken.add(drawn.patient)
                yield drawn


# The hash over seed and opening is the draw: it depends neither on order nor on the other rows.
_CANDIDATES = """
WITH stratified AS (
  SELECT patient, opened, instant,
    CASE WHEN has_card THEN cards[1].slot || ' ' || cards[1].indicator ELSE 'no card' END
      AS stratum,
    sha256(?::VARCHAR || ' ' || patient || ' ' || coalesce(instant, opened::VARCHAR)) AS turn
  FROM opening WHERE patient IS NOT NULL)
SELECT patient, opened, instant, stratum, count(*) OVER (PARTITION BY stratum) AS openings, turn
FROM stratified
QUALIFY row_number() OVER (PARTITION BY stratum ORDER BY turn) <= ?
ORDER BY stratum, turn
"""
