"""`cds-service doctor fhir`: runs every template on a FHIR server, and says how it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from cds_service.conformance.caller import Caller, Reply
from cds_service.doctor.findings import MOST_SKEW, Finding, fault, note, well
from cds_service.doctor.replies import PROFILE, problem_of
from cds_service.doctor.searchset import (
    Searchset,
    is_newest_first,
    known,
    medication_references,
    of_others,
    with_codes,
    without_unit,
)
from cds_service.fhir.addresses import Base
from cds_service.fhir.client import fill
from cds_service.fhir.profiles import profile_of
from cds_service.fhir.second_try import other_ways
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Resource
from cds_service.settings import Settings

_SHARE = 0.8  # of CDS_FHIR_TIMEOUT_MS is for fetching


class FHIRExamination:
    """One look at a FHIR server, with the templates of one service as they are set for it."""

    def __init__(
        self,
        caller: Caller,
        base: Base,
        service: CDSService,
        settings: Settings,
        *,
        token: str | None,
        now: datetime,
    ) -> None:
        self._caller = caller
        self._server = base.text
        self._base = base
        self._service = service
        self._settings = settings
        self._now = now
        self._headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._slowest = 0.0
        self._resources: list[Resource] = []

    def findings(self, patient_id: str | None) -> Iterator[Finding]:
        """What there is to say, in the order in which it is asked."""
        reply = self._get("metadata")
        yield from self._conformance(reply)
        if not reply.status:
            return
        patient_id = patient_id or self._any_patient()
        if patient_id is None:
            yield fault("patient", "no patient was found to ask for", "Name one with --patient.")
            return
        lacking = profile_of(self._settings).lacking(self._service.prefetch)
        for key, template in self._service.prefetch.items():
            filled = fill(template, {"context.patientId": patient_id})
            if key in lacking:
                yield well(key, "not asked for: the profile says that there is none")
            elif filled is None:
                yield note(key, "not tried: it needs more than a patient")
            elif "?" in filled:
                yield from self._search(key, filled, patient_id)
            else:
                yield from self._read(key, filled)
        yield from self._medications()
        allowed = self._settings.fhir_timeout_ms / 1000 * _SHARE
        if self._slowest > allowed:
            yield fault(
                "time",
                f"the slowest list takes {self._slowest:.1f} s, and {allowed:.1f} s are allowed",
                "Raise CDS_FHIR_TIMEOUT_MS, or let the client send the prefetch.",
            )
        else:
            yield well("time", f"the slowest list takes {self._slowest:.2f} s of {allowed:.1f} s")

    def _get(self, query: str) -> Reply:
        return self._caller.ask(f"{self._server}/{query}", headers=self._headers)

    def _conformance(self, reply: Reply) -> Iterator[Finding]:
        if not reply.status:
            mend = "Look at the address, the network, and CDS_FHIR_CA_BUNDLE."
            yield fault("server", reply.trouble, mend)
            return
        version = reply.body.get("fhirVersion") if isinstance(reply.body, dict) else None
        if reply.resource_type != "CapabilityStatement":
            mend = "Look at the base address: /metadata should answer to everybody."
            yield note("server", f"no CapabilityStatement at /metadata ({reply.status})", mend)
        elif not str(version).startswith("4.0"):
            yield fault("server", f"FHIR {version}", "Use the R4 address of this server.")
        else:
            yield well("server", f"FHIR {version}")
        if reply.skew(self._now) > MOST_SKEW:
            text = f"its clock and ours differ by {reply.skew(self._now):.0f} s"
            yield fault("clock", text, "Set both by NTP: ages of results depend on it.")

    def _any_patient(self) -> str | None:
        reply = self._get("Patient?_count=1")
        found = Searchset([reply]).resources
        return str(found[0].get("id")) if found else None

    def _read(self, key: str, filled: str) -> Iterator[Finding]:
        reply = self._get(filled)
        if problem := problem_of(key, reply, filled):
            yield problem
        elif f"{reply.resource_type}/{reply.body.get('id')}" != filled:
            yield fault(key, "another resource came than was asked for", "Ask its maker.")
        else:
            yield well(key, f"read in {reply.seconds:.2f} s")

    def _search(self, key: str, filled: str, patient_id: str) -> Iterator[Finding]:
        found = self._pages(filled)
        if found.last.status in (400, 414, 422):
            asked = self._otherwise(filled, found.last.status)
            if asked is not None:
                text = f"{found.last.status}: refused as it is; {asked} it is answered"
                yield fault(key, text, f"{PROFILE}: every call asks twice for this list.")
                return
        if problem := problem_of(key, found.last, filled):
            yield problem
            return
        self._slowest = max(self._slowest, found.seconds)
        self._resources += found.resources
        pages = f"{len(found.replies)} page{'s' if len(found.replies) > 1 else ''}"
        yield well(key, f"{len(found.resources)} found, {pages}, {found.seconds:.2f} s")
        yield from self._paging(key, found)
        yield from self._content(key, found.resources, patient_id, _parameters(filled), filled)

    def _otherwise(self, filled: str, status: int) -> str | None:
        """How the server answers the search, in words; None if it never does."""
        waiting = [*other_ways(f"{self._server}/{filled}", status)]
        while waiting:
            address = waiting.pop(0)
            reply = self._caller.ask(address, headers=self._headers)
            if reply.status == 200:
                if status == 414:
                    return "in parts"
                before, after = _parameters(filled), _parameters(address)
                left_out, added = before.keys() - after.keys(), after.keys() - before.keys()
                texts = [f"without {name}" for name in sorted(left_out)]
                return " and ".join(texts + [f"with {name}" for name in sorted(added)])
            waiting = [*other_ways(address, reply.status)]
        return None

    def _pages(self, filled: str) -> Searchset:
        """The pages of a search, as many as the settings allow."""
        found, asked = Searchset(), set[str]()
        address: str = f"{self._server}/{filled}"
        for _ in range(self._settings.fhir_max_pages):
            asked.add(address)
            link = found.add(self._caller.ask(address, headers=self._headers))
            if link is None:
                return found
            address, led_away = self._base.next_page(address, link, filled.partition("?")[0])
            found.led_to = urlsplit(link).netloc or link if led_away else found.led_to
            if address in asked:
                found.is_circle = True
                return found
            if not self._base.holds(address):
                return found
        found.is_cut = True
        return found

    def _paging(self, key: str, found: Searchset) -> Iterator[Finding]:
        if found.led_to:
            mend = "Tell the server its public base address; until then its query is asked here."
            yield fault(key, f"the next link leads to {found.led_to}", mend)
        if found.is_circle:
            yield fault(key, "the next links go in a circle", "Ask its maker; the list is in part.")
        if found.is_cut:
            text = f"there are more than {self._settings.fhir_max_pages} pages"
            yield fault(key, text, "Raise CDS_FHIR_MAX_PAGES, or the pages of the server.")
        elif found.promised > found.matches and not found.is_circle:
            text = f"{found.promised} promised, {found.matches} came, and no next link"
            yield fault(key, text, "Ask its maker; the list counts as in part.")
        if found.kept_back:
            text = f"results are kept back ({', '.join(sorted(set(found.kept_back)))})"
            yield fault(key, text, "Look at the rights of the token; the list counts as in part.")
        if any("Content-Encoding" in reply.headers for reply in found.replies):
            yield note(key, "compressed, although nobody asked for it")

    def _content(
        self,
        key: str,
        resources: list[Resource],
        patient_id: str,
        parameters: Mapping[str, str],
        filled: str,
    ) -> Iterator[Finding]:
        if others := of_others(resources, patient_id):
            text = f"{others} are about other patients: `patient` is ignored"
            yield fault(key, text, "Do not go live: ask its maker.")
        if "code" in parameters:
            yield from self._codes(key, resources, frozenset(parameters["code"].split(",")), filled)
        if "_sort" in parameters and not is_newest_first(resources):
            yield note(key, "_sort is ignored", "Harmless, unless clients send first pages only.")
        lacking, numbers = without_unit(resources)
        if lacking:
            text = f"{lacking} of {numbers} numbers have no unit"
            yield fault(key, text, "Map the units at the source: none is guessed.")
        hits, coded, concepts = known(resources, self._service.terminology)
        if concepts and coded < concepts:
            text = f"{concepts - coded} of {concepts} have words and no code"
            yield note(key, text, "Map them at the source: words are read with care only.")
        if concepts:
            yield well(key, f"our value sets know {hits} of {concepts}")

    def _codes(
        self, key: str, resources: list[Resource], asked: frozenset[str], filled: str
    ) -> Iterator[Finding]:
        """Whether the list of codes chooses what it should."""
        place, _, query = filled.partition("?")
        if resources:
            unasked = len(resources) - len(with_codes(resources, asked))
            if unasked:
                text = f"{unasked} of {len(resources)} have a code that nobody asked for"
                yield note(key, text, "`code` is ignored: answers are larger than they need be.")
            return
        kept = [each for each in query.split("&") if not each.startswith(("code=", "_sort="))]
        alone = self._pages(f"{place}?{'&'.join(kept)}")
        if missed := with_codes(alone.resources, asked):
            text = f"the list of codes finds nothing; the type alone finds {len(missed)} of them"
            yield fault(key, text, "The server reads no list, or no code without its system.")
        elif alone.resources and not with_codes(alone.resources, self._codes_of(place)):
            text = f"{len(alone.resources)} of this type, none with a code that we read"
            yield note(key, text, "Look whether results are coded in LOINC.")

    def _codes_of(self, resource_type: str) -> frozenset[str]:
        """Every code that the templates of a type ask for."""
        templates = self._service.prefetch.values()
        asked = [_parameters(each) for each in templates if each.startswith(f"{resource_type}?")]
        return frozenset(code for each in asked for code in each.get("code", "").split(","))

    def _medications(self) -> Iterator[Finding]:
        """Whether Medications that lists refer to can be had, by search or one by one."""
        ids = medication_references(self._resources)[:20]
        if not ids:
            return
        found = {
            str(each.get("id")) for each in self._pages(f"Medication?_id={','.join(ids)}").resources
        }
        rest = [each for each in ids if each not in found]
        if not rest:
            yield well("Medication", f"{len(ids)} referred to, all found by search")
            return
        read = sum(self._get(f"Medication/{each}").status == 200 for each in rest)
        if read < len(rest):
            text = f"{len(rest) - read} of {len(ids)} that are referred to cannot be had"
            mend = "The token must allow reading Medication; until then they are unreadable."
            yield fault("Medication", text, mend)
        else:
            yield note("Medication", f"{read} of {len(ids)} can be read, but not searched")


def _parameters(address: str) -> dict[str, str]:
    return dict(parse_qsl(address.partition("?")[2], keep_blank_values=True))
