"""One simulation from its files to its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

from cds_service.errors import InvalidRequest, SimulationFailed
from cds_service.report.catalogue import catalogue_of
from cds_service.settings import Settings
from cds_service.simulation import pages, results, sheets
from cds_service.simulation.cases import Case, case_of
from cds_service.simulation.figures import Figures, figures_of
from cds_service.simulation.openings import openings_of
from cds_service.simulation.pages import Study
from cds_service.simulation.partitions import (
    HOOK,
    MEMORY,
    Plan,
    Progress,
    content_of,
    digest_of,
    identity,
    is_done,
    knowledge_of_plan,
    without_secrets,
)
from cds_service.simulation.patients import (
    Population,
    group,
    partition_of,
    records,
)
from cds_service.simulation.running import run
from cds_service.simulation.sample import Drawn, draw
from cds_service.simulation.sources import Sources

WORK = "work"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be simulated; see `cds-service simulate --help`."""

    out: Path
    against: Path | None
    language: str
    today: date
    since: date | None
    workers: int
    scheduler: str | None
    memory: str
    review: int  # cases for reviewers; 0 for none
    seed: int


class Simulation:
    """A simulation in a folder. What an earlier run of the same has done there is not done again.

    `pseudonym` gives the hash of a patient's id. While it runs, the folder `work` in `out` has the
    records, readable by this user only; it is removed at the end.
    """

    def __init__(
        self, wish: Wish, settings: Settings, sources: Sources, pseudonym: Callable[[str], str]
    ) -> None:
        self._wish = wish
        self._settings = settings
        self._sources = sources
        self._pseudonym = pseudonym
        self._work = wish.out / WORK
        sheets.spare_answers(wish.out)
        self._work.mkdir(parents=True, exist_ok=True, mode=0o700)

    def group(self) -> Population:
        """The population, grouped by patient. Raises InvalidRequest if there is nobody."""
        self.population = group(
            self._sources,
            self._patients,
            self._pseudonym,
            memory=self._wish.memory,
        )
        if not any(self.population.patients):
            raise InvalidRequest("no resource in these files names a patient")
        self.plan = self._plan()
        return self.population

    def check(self) -> None:
        """Load the contents. Raises StartError."""
        services = content_of(self.plan).services
        if not any(self._wish.language in service.languages for service in services):
            raise SimulationFailed(f"no service for {HOOK} has words in {self._wish.language}")

    @property
    def done(self) -> int:
        """The number of patients of whom an earlier run has kept the rows."""
        return sum(self.population.patients[number] for number in self._partitions(done=True))

    def run(self) -> Iterator[Progress]:
        """Evaluate what is not done yet; gives each partition that is done."""
        return run(
            self.plan,
            self._partitions(done=False),
            workers=self._wish.workers,
            scheduler=self._wish.scheduler,
        )

    def finish(self) -> Figures:
        """Write the result, and remove the records. Gives its figures."""
        out, overflow, memory = self._wish.out, self._work / "overflow", self._wish.memory
        results.keep(self.plan.results, out, overflow, memory=memory)
        knowledge = knowledge_of_plan(self.plan)
        with results.opened(out, overflow, memory=memory) as database:
            figures = figures_of(database, catalogue_of(knowledge).titles)
            if self._wish.review:
                drawn = draw(database, self._wish.review, self._wish.seed)
                sheets.write(out, self._cases(drawn), drawn)
        pages.write(out, self._study(figures, knowledge.version), figures)
        return figures

    def _cases(self, drawn: Sequence[Drawn]) -> list[Case]:
        """The case of each opening; a partition is read once."""
        content, cases = content_of(self.plan), []
        numbers = {(each.patient, each.opened): number for number, each in enumerate(drawn, 1)}
        partitions = {partition_of(each.patient, len(self.population.patients)) for each in drawn}
        people = {each.patient for each in drawn}
        for partition in sorted(partitions):
            for record in records(self.plan.patients, partition, memory=MEMORY):
                if record.patient not in people:
                    continue
                for opening in openings_of(record.resources, content.today, content.since):
                    number = numbers.get((record.patient, opening.day))
                    if number is not None:
                        cases.append(case_of(number, record, opening, content))
        return sorted(cases, key=lambda case: case.number)

    def clean(self) -> None:
        """Remove the records and the rows of the partitions."""
        rmtree(self._work)

    @cached_property
    def _of_sources(self) -> str:
        """A name for the files that are read: where they are and how large they are."""
        names = [(file.address, file.bytes, file.stamp) for file in self._sources.files]
        marker = self._pseudonym("")  # with another key, patients have other hashes
        return sha256(repr((names, marker)).encode()).hexdigest()[:16]

    @property
    def _patients(self) -> Path:
        return self._work / f"patients-{self._of_sources}"

    def _plan(self) -> Plan:
        wish = self._wish
        older = digest_of(wish.against) if wish.against else None
        name = identity(
            self._settings, self._of_sources, older, wish.language, wish.today, wish.since
        )
        kept = self._work / f"results-{name}"
        kept.mkdir(exist_ok=True, mode=0o700)
        return Plan(
            patients=self._patients,
            results=kept,
            settings=without_secrets(self._settings),
            against=wish.against,
            language=wish.language,
            today=wish.today,
            since=wish.since,
            types=tuple(self.population.types),
        )

    def _partitions(self, *, done: bool) -> Sequence[int]:
        """The partitions with patients that are done, or those that are not."""
        return [
            number
            for number, patients in enumerate(self.population.patients)
            if patients and is_done(self.plan, number) is done
        ]

    def _study(self, figures: Figures, version: str) -> Study:
        wish = self._wish
        since = f", from {wish.since}" if wish.since else ""
        against = f" The older content is {content_version(self.plan)}." if wish.against else ""
        return Study(
            title="What the content would have said",
            lead=f"Content {version}, charts opened until {wish.today}{since}.{against}",
            about={
                "knowledgeVersion": version,
                "today": wish.today.isoformat(),
                "since": wish.since and wish.since.isoformat(),
                "faulty": self.population.faulty,
                "withoutPatient": dict(self.population.orphans),
            },
            notices=list(_notices(self.population)),
            is_compared=wish.against is not None,
            files=pages.files_of(figures),
        )


def content_version(plan: Plan) -> str:
    """The versions of the older content."""
    return "+".join(service.version for service in content_of(plan).older.values())


def _notices(population: Population) -> Iterable[str]:
    if population.faulty:
        yield f"{population.faulty:,} lines or entries are not FHIR in JSON and were not read."
    if population.faulty_files:
        yield f"{len(population.faulty_files):,} files are not JSON and were not read."
    for type_, count in population.orphans.items():
        yield f"{count:,} {type_} resources name no patient and were not read."
