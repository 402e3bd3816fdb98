"""`cds-service doctor service`: calls an installation of this service as a CDS Client would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from cds_service.conformance.caller import Caller, Reply
from cds_service.conformance.invented import invented_call
from cds_service.conformance.target import Sign
from cds_service.doctor.answers import faults_of_answer, faults_of_entry, templates_of
from cds_service.doctor.findings import MOST_SKEW, Finding, fault, note, well
from cds_service.setting_types import is_loopback
from cds_service.wire.hooks import HOOKS

ORIGIN = "https://ehr.example.org"
FAST = 0.5  # seconds; what CDS Hooks' best practices ask of a service
_FORBIDDEN = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login"}]}
_JSON = {"Content-Type": "application/json"}


class ServiceExamination:
    """One look at an installation. `requests` are calls of CDS Hooks with invented people."""

    def __init__(
        self,
        caller: Caller,
        base: str,
        requests: Mapping[str, Mapping[str, Any]],
        *,
        sign: Sign | None,
        now: datetime,
    ) -> None:
        self._caller = caller
        self._base = base.rstrip("/")
        self._discovery = f"{self._base}/cds-services"
        self._requests = requests
        self._sign = sign
        self._now = now
        self._is_here = is_loopback(urlsplit(base).hostname or "")

    def findings(self) -> Iterator[Finding]:
        """What there is to say, in the order in which it is asked."""
        reply = self._ask(self._discovery)
        services = reply.body.get("services") if isinstance(reply.body, dict) else None
        yield from self._transport(reply)
        if reply.status == 401:
            yield fault("discovery", "401: it asks for a token", "Name --keys and --issuer.")
        elif reply.status != 200 or not isinstance(services, list) or not services:
            text = reply.trouble or f"{reply.status}: no list of services"
            yield fault("discovery", text, "Look at the address, the proxy and the log.")
        else:
            ids = ", ".join(str(each.get("id")) for each in services if isinstance(each, dict))
            yield well("discovery", f"{ids} in {reply.seconds:.2f} s")
            yield from self._operations(reply)
            for entry in services:
                yield from self._service(entry if isinstance(entry, dict) else {})

    # -- what holds for the whole installation ---------------------------------------------------

    def _transport(self, reply: Reply) -> Iterator[Finding]:
        if self._base.startswith("http:") and not self._is_here:
            yield fault("transport", "http: everybody on the way can read it", "Use https.")
        if 300 <= reply.status < 400:
            yield fault("transport", "a redirect", "Give clients the address that it leads to.")
        if reply.skew(self._now) > MOST_SKEW:
            text = f"its clock and ours differ by {reply.skew(self._now):.0f} s"
            yield fault("clock", text, "Set it by NTP: tokens and the ages of results need it.")
        if reply.status == 200 and reply.kind != "application/json":
            text = f"discovery comes as {reply.kind or 'no media type'}"
            yield fault("transport", text, "Let the proxy leave Content-Type alone.")

    def _operations(self, discovery: Reply) -> Iterator[Finding]:
        ready = self._caller.ask(f"{self._base}/health/ready")
        checks = ready.body.get("checks") if isinstance(ready.body, dict) else None
        checks = checks if isinstance(checks, dict) else {}
        failed = [name for name, text in checks.items() if text != "ok"]
        if ready.status != 200 or failed:
            text = f"{ready.status}, failed: {', '.join(failed) or 'not said'}"
            yield fault("readiness", text, "Look at the log of the service.")
        if not self._is_here and self._caller.ask(f"{self._base}/metrics").status == 200:
            mend = "Unset CDS_METRICS_OPEN, or bar /metrics in the proxy."
            yield fault("metrics", "everybody can read them", mend)
        if "Knowledge-Version" not in discovery.headers:
            mend = "Let the proxy keep the headers of answers."
            yield fault("headers", "Knowledge-Version does not arrive", mend)

    # -- one service -----------------------------------------------------------------------------

    def _service(self, entry: Mapping[str, Any]) -> Iterator[Finding]:
        name = str(entry.get("id"))
        url = f"{self._discovery}/{name}"
        for text in faults_of_entry(entry):
            yield fault(name, f"discovery: {text}", "Run `cds-service check` on its content.")
        yield from self._browsers(name, url)
        yield from self._tokens(name, url)
        fitting = {
            file: request
            for file, request in self._requests.items()
            if request.get("hook") == entry.get("hook")
        }
        hook = str(entry.get("hook"))
        if not fitting and hook in HOOKS:
            fitting = {"an invented adult": invented_call(hook, templates_of(entry))}
        times: list[float] = []
        for file, request in fitting.items():
            yield from self._call(file, url, request, times)
        if not fitting:
            yield note(name, "not called: no request has its hook", "Name files with requests.")
            return
        yield from self._latency(name, times)
        first = next(iter(fitting.values()))
        yield from self._lists(name, url, first, templates_of(entry))
        yield from self._errors(name, url, first)
        yield from self._feedback(name, url)

    def _browsers(self, name: str, url: str) -> Iterator[Finding]:
        headers = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        reply = self._caller.ask(url, "OPTIONS", headers=headers)
        if reply.status not in (200, 204):
            text = f"a preflight is answered with {reply.status}"
            yield fault(name, text, "Let the proxy pass OPTIONS, without a token.")
        elif reply.headers.get("access-control-allow-origin") not in ("*", ORIGIN):
            mend = "Nothing, if only pages of CDS_CORS_ORIGINS call from a browser."
            yield note(name, f"pages of {ORIGIN} may not call", mend)
        else:
            allowed = reply.headers.get("access-control-allow-headers", "").lower()
            for header in ("authorization", "content-type"):
                if header not in allowed:
                    text = f"browsers may not send {header}"
                    yield fault(name, text, "Let the service answer preflights, not the proxy.")

    def _tokens(self, name: str, url: str) -> Iterator[Finding]:
        if self._sign is None:
            text = "anybody can call"
            mend = "Set CDS_ISSUERS before real patients."
            yield note(name, text, mend) if self._is_here else fault(name, text, mend)
            return
        token = self._sign(url)
        wrong = {
            "no token": None,
            "a token for another address": self._sign(f"{url}/another"),
            "nonsense": "a.b.c",
        }
        for text, sent in wrong.items():
            status = self._post(url, {}, token=sent).status
            if status != 401:
                mend = "Set CDS_ISSUERS and CDS_PUBLIC_URL; let nothing in between add a token."
                yield fault(name, f"{text} is answered with {status}, not 401", mend)
        self._post(url, {}, token=token)
        if (status := self._post(url, {}, token=token).status) != 401:
            mend = "Let all workers and machines share CDS_STORE_URL or CDS_REDIS_URL."
            yield fault(name, f"a used token is answered with {status}, not 401", mend)

    def _call(
        self, about: str, url: str, request: Mapping[str, Any], times: list[float]
    ) -> Iterator[Finding]:
        reply, again = self._post(url, request), self._post(url, request)
        times += [reply.seconds, again.seconds]
        if reply.status == 412:
            mend = "Let clients send what it requires, or name a FHIR server to fetch it from."
            yield note(about, "412: the request lacks data that the service requires", mend)
            return
        if reply.status != 200 or not isinstance(reply.body, dict):
            text = reply.trouble or f"answered with {reply.status}"
            yield fault(about, text, "Look at the log, by X-Request-Id.")
            return
        texts = faults_of_answer(reply.body)
        for text in texts:
            yield fault(about, text, "Let nothing in between change answers.")
        if _uuids(reply) != _uuids(again):
            mend = "Give all workers and machines one CDS_HASH_KEY."
            yield fault(about, "the same call gets other uuids", mend)
        versions = {each.headers.get("Knowledge-Version") for each in (reply, again)}
        if len(versions) > 1:
            mend = "Bring the same content to all machines."
            yield fault(about, "two calls are answered from two versions of the content", mend)
        if not texts:
            cards = reply.body["cards"]
            indicators = ", ".join(card["indicator"] for card in cards) or "no card"
            yield well(about, f"{indicators} in {reply.seconds * 1000:.0f} ms")

    def _latency(self, name: str, times: Sequence[float]) -> Iterator[Finding]:
        slow = sorted(times)[int(len(times) * 0.95)]
        if slow > FAST:
            text = f"95 % of calls take up to {slow * 1000:.0f} ms; {FAST * 1000:.0f} are expected"
            yield fault(name, text, "More workers (CDS_WORKERS), or a nearer machine.")

    def _lists(
        self, name: str, url: str, request: Mapping[str, Any], templates: Mapping[str, str]
    ) -> Iterator[Finding]:
        """What the answer is where data is missing: never an empty list as if all were well."""
        bare = {key: value for key, value in request.items() if key != "prefetch"}
        bare = bare | {"hookInstance": str(uuid4())}
        reply = self._post(url, bare | {"prefetch": {}})
        if reply.status == 200 and not (reply.body or {}).get("cards"):
            text = "without any data the answer is 200 and no card"
            yield fault(name, text, "Look whether this is CDS_MODE=shadow; nothing was checked.")
        prefetch = request.get("prefetch") or {}
        for key in templates:
            sent = bare | {"prefetch": prefetch | {key: _FORBIDDEN}}
            status = self._post(url, sent).status
            if status not in (200, 412):
                text = f"with {key} as an OperationOutcome the answer is {status}"
                yield fault(name, text, "Look at the log, by X-Request-Id.")

    def _errors(self, name: str, url: str, request: Mapping[str, Any]) -> Iterator[Finding]:
        wrong = {
            "a body that is no JSON": (self._post(url, b"{"), (400,)),
            "an unknown service": (self._post(f"{url}-unknown", request), (404,)),
            "an unknown hook": (self._post(url, {**request, "hook": "unheard-of"}), (400,)),
        }
        for text, (reply, statuses) in wrong.items():
            if reply.status not in statuses:
                text = f"{text} is answered with {reply.status}, not {statuses[0]}"
                yield fault(name, text, "Let the proxy pass errors as they are.")
            elif reply.resource_type != "OperationOutcome":
                text = f"{text} gets no OperationOutcome"
                yield fault(name, text, "Let the proxy keep the bodies of errors.")
        marked = b"\xef\xbb\xbf" + json.dumps(request).encode()
        if (status := self._post(url, marked).status) == 400:
            text = f"a byte order mark is answered with {status}"
            yield fault(name, text, "Let nothing in between rewrite bodies.")

    def _feedback(self, name: str, url: str) -> Iterator[Finding]:
        entry = {
            "card": str(uuid4()),
            "outcome": "overridden",
            "outcomeTimestamp": self._now.isoformat(),
        }
        reply = self._post(f"{url}/feedback", {"feedback": [entry]})
        if not reply.is_success:
            mend = "Look at CDS_STORE_URL and its database; let the proxy pass this address."
            yield fault(name, f"feedback is answered with {reply.status}", mend)

    # -- HTTP ------------------------------------------------------------------------------------

    def _ask(self, url: str) -> Reply:
        return self._caller.ask(url, headers=self._bearer(self._sign(url) if self._sign else None))

    def _post(self, url: str, body: Any, *, token: str | None = "") -> Reply:
        """The answer to a POST, with a new token unless another one, or none, is given."""
        if token == "" and self._sign is not None:
            token = self._sign(url)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**_JSON, **self._bearer(token or None)}
        return self._caller.ask(url, "POST", headers=headers, body=content)

    def _bearer(self, token: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"} if token else {}


def _uuids(reply: Reply) -> list[Any]:
    cards = reply.body.get("cards") if isinstance(reply.body, dict) else None
    return [card.get("uuid") for card in cards or [] if isinstance(card, dict)]
