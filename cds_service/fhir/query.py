"""What a FHIR server is asked for one prefetch key: one address, or several with joined answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Lock
from typing import Any

from cds_service.fhir.download import Download
from cds_service.fhir.outcomes import IS_WHOLE, Outcome, label
from cds_service.fhir.second_try import other_ways
from cds_service.knowledge.call import Resource

_NONE_HERE: Resource = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "not-supported"}],
}


class Query:
    """Downloads that together answer one key; if one is refused, it is asked in another way.

    `download` makes the Download of an address. Everything can be read at any time.
    """

    def __init__(
        self, download: Callable[[str], Download], first: Sequence[Download], *, searches: bool
    ) -> None:
        self._download = download
        self._downloads = list(first)  # whose answers count
        self._refused: list[Download] = []
        self._searches = searches
        self._lock = Lock()

    def lanes(self, most: int) -> Iterator[Callable[[], None]]:
        """The work, in at most `most` parts that can run in parallel."""
        for number in range(min(most, len(self._downloads))):
            yield partial(self._run, self._downloads[number::most])

    def _run(self, waiting: list[Download]) -> None:
        while waiting:
            download = waiting.pop(0)
            download.run()
            instead = [*map(self._download, other_ways(download.address, download.status))]
            if instead:
                waiting[:0] = instead
                with self._lock:
                    place = self._downloads.index(download)
                    self._downloads[place : place + 1] = instead
                    self._refused.append(download)

    @property
    def value(self) -> Any:
        """What a client would send for it; None if nothing came.

        The answers of several downloads are entries of one Bundle, where each is judged.
        """
        downloads = self._downloads.copy()
        # Before the values: what comes in between may not be missing from a list called whole.
        outcome = self._of_all(downloads)
        if outcome is Outcome.NOT_SUPPORTED and self._searches:
            return _NONE_HERE
        if len(downloads) == 1:
            return downloads[0].value
        values = [
            value for value in (download.value for download in downloads) if value is not None
        ]
        if not values:
            return None
        joined: Resource = {"resourceType": "Bundle", "type": "collection"}
        joined["entry"] = [{"resource": value} for value in values]
        if outcome not in IS_WHOLE:
            joined["link"] = [{"relation": "next"}]
        return joined

    @property
    def outcome(self) -> Outcome:
        """The outcome of all downloads together."""
        return self._of_all(self._downloads.copy())

    def _of_all(self, downloads: Sequence[Download]) -> Outcome:
        outcomes = [download.outcome for download in downloads]
        if IS_WHOLE.issuperset(outcomes):
            if Outcome.NEXT_ELSEWHERE in outcomes:
                return Outcome.NEXT_ELSEWHERE
            return Outcome.ASKED_OTHERWISE if self._refused else Outcome.FETCHED
        if Outcome.IN_PART in outcomes or not IS_WHOLE.isdisjoint(outcomes):
            return Outcome.IN_PART
        return outcomes[0]

    @property
    def label(self) -> str:
        """The outcome as it is logged and counted."""
        return label(self.outcome, next((download.status for download in self._downloads), None))

    @property
    def requests(self) -> int:
        return sum(download.requests for download in self._all)

    @property
    def answered(self) -> bool:
        """Whether the server gave any answer; a refusal is one."""
        return any(download.answered for download in self._all)

    @property
    def seconds(self) -> float:
        """How long the slowest request has had so far."""
        return max(download.seconds for download in self._all)

    @property
    def _all(self) -> list[Download]:
        return self._downloads + self._refused
