"""Groups the resources of a population by patient, out of core, into files of partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from shutil import rmtree
from typing import Any

import orjson

from cds_service.knowledge.call import Resource
from cds_service.knowledge.facts.kinds import RESOURCE_TYPES
from cds_service.simulation.database import DuckDBPyConnection, NotReadable, connect, quoted
from cds_service.simulation.sources import Source, Sources

_MEBIBYTE = 1024 * 1024
PARTITION_BYTES = 32 * _MEBIBYTE
_MOST_PARTITIONS = 4096
_LONGEST_LINE = 64 * _MEBIBYTE
_AT_ONCE = 200  # files that are read by one statement
_TYPES = sorted(RESOURCE_TYPES | {"Patient", "Encounter", "Medication"})
_DONE = "population.json"

# Of each document its resources: those of a Bundle, or itself. A Bundle with one Patient is about
# that patient, whatever its references look like.
_RESOURCES = """
INSERT INTO resource
WITH document AS (SELECT json FROM {reader}),
part AS (
  SELECT
    CASE WHEN (json->>'resourceType') = 'Bundle' THEN json_extract(json, '$.entry[*].resource')
         ELSE [json] END AS resources,
    (json->>'resourceType') = 'Bundle' AS is_bundle
  FROM document),
owned AS (
  SELECT resources,
    CASE WHEN is_bundle THEN
      list_filter(resources, lambda each: (each->>'resourceType') = 'Patient') END AS people
  FROM part),
single AS (
  SELECT CASE WHEN len(people) = 1 THEN people[1]->>'id' END AS whose,
    unnest(resources) AS json
  FROM owned),
named AS (
  SELECT whose, json::VARCHAR AS json, json_extract_string(json, [
    '$.resourceType', '$.id', '$.subject.reference', '$.patient.reference',
    '$.medicationReference.reference', '$.subject.identifier.system',
    '$.subject.identifier.value', '$.patient.identifier.system',
    '$.patient.identifier.value']) AS element
  FROM single)
SELECT
  coalesce(element[1], '') AS type,
  CASE WHEN element[1] = 'Patient' THEN element[2]
       WHEN whose IS NOT NULL THEN whose
       ELSE nullif(regexp_extract(coalesce(element[3], element[4]), {of_reference}, 1), '')
  END AS patient,
  element[2] AS id,
  nullif(regexp_extract(element[5], {of_reference}, 1), '') AS medication,
  coalesce(element[6], element[8], '') || '|' || coalesce(element[7], element[9]) AS identifier,
  json
FROM named
WHERE coalesce(element[1], '') IN ('', {types})
"""
_OF_REFERENCE = quoted(r"([^/:#|]+)(?:/_history/[^/]*)?$")
# FHIR R4, "Logical references": a patient named by an identifier that only one Patient has.
_BY_IDENTIFIER = """
UPDATE resource SET patient = known.patient
FROM (
  SELECT coalesce(each->>'system', '') || '|' || (each->>'value') AS identifier,
    any_value(patient) AS patient
  FROM (
    SELECT patient, unnest(json_extract(json, '$.identifier[*]')) AS each
    FROM resource WHERE type = 'Patient')
  GROUP BY ALL HAVING count(DISTINCT patient) = 1) AS known
WHERE resource.patient IS NULL AND resource.identifier = known.identifier
"""
# Medications of their own, without a patient, go to everybody who has an order for one.
_PARTITIONS = """
COPY (
  SELECT whose.partition, whose.hash AS patient, resource.type, resource.id, resource.json
  FROM resource JOIN whose USING (patient)
  UNION
  SELECT whose.partition, whose.hash, medication.type, medication.id, medication.json
  FROM resource AS orders
  JOIN resource AS medication
    ON medication.id = orders.medication AND medication.type = 'Medication'
  JOIN whose ON whose.patient = orders.patient
) TO {folder} (FORMAT parquet, PARTITION_BY (partition), COMPRESSION zstd)
"""
_WHOSE = """
CREATE TABLE whose AS SELECT * FROM read_json({path}, format='newline_delimited',
  columns={{patient: 'VARCHAR', hash: 'VARCHAR', partition: 'INTEGER'}})
"""
_RECORDS = "SELECT patient, type, json FROM read_parquet(?) ORDER BY patient, type, id, json"


@dataclass(frozen=True, slots=True)
class Population:
    """What is known of a population once it is grouped.

    `patients` counts the patients of each partition; `types` are the FHIR resource types of which
    the data has at least one resource. `faulty` counts lines and entries that are not FHIR in JSON,
    `orphans` the resources without a patient, by type.
    """

    patients: Sequence[int]
    types: Sequence[str]
    faulty: int = 0
    faulty_files: Sequence[str] = ()
    orphans: Mapping[str, int] = field(default_factory=dict)


def group(
    sources: Sources, folder: Path, pseudonym: Callable[[str], str], *, memory: str
) -> Population:
    """Write the partitions into a folder, unless they are there from an earlier run.

    `pseudonym` gives the hash of a patient's id, 64 hexadecimal digits.
    """
    done = folder / _DONE
    if done.is_file():
        return Population(**orjson.loads(done.read_bytes()))
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    database = folder / "grouping.duckdb"
    with connect(folder / "overflow", memory, threads=2, path=database) as connection:
        for system in sources.filesystems:
            connection.register_filesystem(system)
        connection.execute(
            "CREATE TABLE resource"
            " (type VARCHAR, patient VARCHAR, id VARCHAR, medication VARCHAR, identifier VARCHAR,"
            " json VARCHAR)"
        )
        lost = _read(connection, sources.files)
        connection.execute(_BY_IDENTIFIER)
        partitions = min(max(1, sources.bytes // PARTITION_BYTES), _MOST_PARTITIONS)
        patients = _name(connection, folder, pseudonym, partitions)
        connection.execute(_PARTITIONS.format(folder=quoted(folder / "patients")))
        population = Population(
            patients=patients,
            types=_column(connection, "SELECT DISTINCT type FROM resource WHERE type <> ''"),
            faulty=_number(connection, "SELECT count(*) FROM resource WHERE type = ''"),
            faulty_files=lost,
            orphans=dict(
                connection.execute(
                    "SELECT type, count(*) FROM resource WHERE patient IS NULL"
                    " AND type NOT IN ('', 'Medication') GROUP BY type ORDER BY type"
                ).fetchall()
            ),
        )
    database.unlink()
    draft = folder / f"{_DONE}.draft"
    draft.write_bytes(orjson.dumps(population, option=orjson.OPT_INDENT_2))
    draft.rename(done)
    return population


@dataclass(frozen=True, slots=True)
class Record:
    """What the data have of one patient, named by hash; `person` is the Patient.

    `broken` are the types of resources of which one cannot be read: NaN, or nested too deep.
    """

    patient: str
    person: Resource | None
    resources: Sequence[Resource]
    broken: frozenset[str] = frozenset()


def partition_of(patient: str, partitions: int) -> int:
    """The partition of a patient, by the hash."""
    return int(patient[:12], 16) % partitions


def records(folder: Path, partition: int, *, memory: str) -> Iterator[Record]:
    """The records of a partition by hash.

    The order depends on the content alone, not on the order in which files and lines came.
    """
    files = folder / "patients" / f"partition={partition}" / "*.parquet"
    with connect(folder / "overflow", memory, threads=1) as connection:
        rows = connection.execute(_RECORDS, [str(files)])
        for patient, resources in groupby(_rows(rows), itemgetter(0)):
            yield _record(patient, resources)


def _record(patient: str, rows: Iterable[tuple[str, str, str]]) -> Record:
    resources, broken = [], set()
    for _, type_, json in rows:
        try:
            resources.append(orjson.loads(json))
        except orjson.JSONDecodeError:
            broken.add(type_)
    people = (each for each in resources if each.get("resourceType") == "Patient")
    return Record(patient, next(people, None), resources, frozenset(broken))


def _rows(cursor: DuckDBPyConnection) -> Iterable[tuple[Any, ...]]:
    while some := cursor.fetchmany(1000):
        yield from some


def _read(connection: DuckDBPyConnection, files: Sequence[Source]) -> list[str]:
    """Read the files into the table; gives those that are not JSON at all."""
    lost: list[str] = []
    for has_lines in (True, False):
        of_kind = [file for file in files if file.has_lines is has_lines and file.bytes]
        for start in range(0, len(of_kind), _AT_ONCE):
            _insert(connection, of_kind[start : start + _AT_ONCE], lost)
    return sorted(lost)


def _insert(connection: DuckDBPyConnection, files: Sequence[Source], lost: list[str]) -> None:
    """One statement for all files; if it fails, one for each half, down to the faulty file."""
    try:
        connection.execute(_statement(files))
    except NotReadable:
        if len(files) == 1:
            lost.append(files[0].address)
            return
        _insert(connection, files[: len(files) // 2], lost)
        _insert(connection, files[len(files) // 2 :], lost)


def _statement(files: Sequence[Source]) -> str:
    has_lines = files[0].has_lines
    longest = max(_LONGEST_LINE, *(0 if has_lines else file.unpacked for file in files))
    reader = (
        f"read_json_objects([{', '.join(quoted(file.address) for file in files)}],"
        f" format='{'newline_delimited' if has_lines else 'unstructured'}',"
        f" ignore_errors={'true' if has_lines else 'false'}, maximum_object_size={longest})"
    )
    types = ", ".join(map(quoted, _TYPES))
    return _RESOURCES.format(reader=reader, types=types, of_reference=_OF_REFERENCE)


def _name(
    connection: DuckDBPyConnection,
    folder: Path,
    pseudonym: Callable[[str], str],
    partitions: int,
) -> list[int]:
    """Make the table of patients with their hashes; gives the number of each partition."""
    path, patients = folder / "whose.ndjson", [0] * partitions
    ids = connection.execute("SELECT DISTINCT patient FROM resource WHERE patient IS NOT NULL")
    with path.open("wb") as file:
        for (patient,) in _rows(ids):
            hash_ = pseudonym(patient)
            partition = partition_of(hash_, partitions)
            patients[partition] += 1
            row = {"patient": patient, "hash": hash_, "partition": partition}
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    connection.execute(_WHOSE.format(path=quoted(path)))
    path.unlink()
    return patients


def _column(connection: DuckDBPyConnection, query: str) -> list[str]:
    return sorted(value for (value,) in connection.execute(query).fetchall())


def _number(connection: DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
