"""The rows of all partitions as one Parquet file, and as tables of a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cds_service.simulation.database import DuckDBPyConnection, connect, quoted

OPENINGS = "openings.parquet"
UNREADABLE = "unreadable.parquet"
_COLUMNS = """{
  patient: 'VARCHAR', opened: 'DATE', instant: 'VARCHAR', age: 'VARCHAR', sex: 'VARCHAR',
  cards: 'STRUCT(service VARCHAR, slot VARCHAR, indicator VARCHAR, words INTEGER,
    rules STRUCT(id VARCHAR, version VARCHAR, level VARCHAR)[])[]',
  lacking: 'STRUCT(service VARCHAR, state VARCHAR, facts VARCHAR[])[]',
  changes: 'STRUCT(service VARCHAR, slot VARCHAR, change VARCHAR, was VARCHAR, becomes VARCHAR,
    because VARCHAR[])[]',
  unreadable: 'VARCHAR'
}"""
_ROWS = "read_json({files}, format='newline_delimited', columns={columns})"
_READ = """
SELECT * EXCLUDE unreadable FROM {rows} WHERE unreadable IS NULL ORDER BY patient, opened, instant
"""
_UNREAD = """
SELECT patient, unreadable AS why FROM {rows} WHERE unreadable IS NOT NULL ORDER BY patient
"""
_COPY = "COPY ({query}) TO {file} (FORMAT parquet, COMPRESSION zstd)"
# One row for each rule of each card, and so on: what the figures are counted from. A patient and a
# day name an opening; where a chart was opened twice on one day, `instant` tells the two apart.
_VIEWS = """
CREATE VIEW opening AS
  SELECT *, year(opened) AS year, len(cards) > 0 AS has_card,
    len(list_filter(cards, lambda each: each.indicator IN ('critical', 'warning'))) > 0
      AS interrupts
  FROM read_parquet({openings}) WHERE opened IS NOT NULL;
CREATE VIEW person AS SELECT DISTINCT patient FROM read_parquet({openings});
CREATE VIEW card AS
  SELECT patient, opened, instant, age, sex, year, unnest(cards, max_depth := 2) FROM opening;
CREATE VIEW fired AS
  SELECT patient, opened, instant, age, sex, year, indicator, unnest(rules, max_depth := 2)
  FROM card;
CREATE VIEW lacking AS
  SELECT patient, opened, has_card, lack.service || '/' || unnest(lack.facts) AS fact,
    lack.state AS state
  FROM (SELECT patient, opened, has_card, unnest(lacking) AS lack FROM opening);
CREATE VIEW change AS
  SELECT patient, opened, instant, unnest(changes, max_depth := 2) FROM opening;
CREATE VIEW unreadable AS SELECT * FROM read_parquet({unreadable});
"""


def keep(results: Path, out: Path, temporary: Path, *, memory: str) -> None:
    """Write the rows of every partition into two Parquet files, in the order of the hashes."""
    rows = _ROWS.format(files=quoted(results / "*.ndjson"), columns=_COLUMNS)
    with connect(temporary, memory, threads=1) as connection:
        for query, name in ((_READ, OPENINGS), (_UNREAD, UNREADABLE)):
            connection.execute(_COPY.format(query=query.format(rows=rows), file=quoted(out / name)))


@contextmanager
def opened(out: Path, temporary: Path, *, memory: str) -> Iterator[DuckDBPyConnection]:
    """A database with the views opening, person, card, fired, lacking, change and unreadable."""
    with connect(temporary, memory, threads=2) as connection:
        connection.execute(
            _VIEWS.format(openings=quoted(out / OPENINGS), unreadable=quoted(out / UNREADABLE))
        )
        yield connection
