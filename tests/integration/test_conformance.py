"""`cds-service conformance` finds the one fault of each broken service, and none in a sound one."""

from __future__ import annotations

import json
import socketserver
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from broken_services import ALSO, GUARDED, OPEN, WithTokens, card
from commands import run
from junitparser import Failure, JUnitXml, Skipped
from servers import Service, free_port, served, service
from small_service import SmallService
from tokens import ISSUER, bearer_of_today, write_jwks

from cds_service.conformance.caller import Caller
from cds_service.conformance.checks import Outcome, Result
from cds_service.conformance.examination import examine
from cds_service.conformance.rules import RULES
from cds_service.conformance.target import Target

PROJECT = Path(__file__).parents[2]
REQUESTS = sorted((PROJECT / "fixtures" / "requests").glob("*.json"))
ORIGIN = "https://sandbox.cds-hooks.org"


def sign(url: str) -> str:
    return bearer_of_today(ISSUER, url)["Authorization"].removeprefix("Bearer ")


def another_call() -> dict[str, Any]:
    """A call about somebody else than the invented adult."""
    patient = {"resourceType": "Patient", "id": "somebody-else"}
    return {
        "hook": "patient-view",
        "hookInstance": "4e9f1b5c-0a57-4a57-9a3e-1f7b7a6f3a11",
        "context": {
            "userId": "Practitioner/other",
            "patientId": "somebody-else",
            "encounterId": "visit",
        },
        "prefetch": {
            "person": patient,
            "conditions": {"resourceType": "Bundle", "type": "searchset", "total": 0},
        },
    }


def examined(base: str, *, with_tokens: bool = False) -> list[Result]:
    target = Target(Caller(), base, sign=sign if with_tokens else None, origin=ORIGIN)
    return list(examine(target, {"another": another_call()}))


def rules(results: list[Result], outcome: Outcome) -> set[str]:
    return {each.rule.id for each in results if each.outcome is outcome}


@pytest.mark.parametrize("with_tokens", [False, True])
def test_a_right_service_breaks_no_rule(with_tokens: bool) -> None:
    small = WithTokens() if with_tokens else SmallService()
    with served(lambda _: small.app()) as base:
        results = examined(base, with_tokens=with_tokens)
    for outcome in (Outcome.FAILED, Outcome.WARNED, Outcome.NOT_TRIED):
        assert rules(results, outcome) == set()
    assert len(results) > 100


@pytest.mark.parametrize("name", OPEN)
def test_a_broken_service_breaks_its_rule_and_no_other(name: str) -> None:
    rule, broken = OPEN[name]
    with served(lambda _: broken().app()) as base:
        results = examined(base)
    assert rules(results, Outcome.FAILED) == {rule} | ALSO.get(name, set())


@pytest.mark.parametrize("name", GUARDED)
def test_a_service_that_believes_wrong_tokens_breaks_its_rule_and_no_other(name: str) -> None:
    rule, broken = GUARDED[name]
    with served(lambda _: broken().app()) as base:
        results = examined(base, with_tokens=True)
    assert rules(results, Outcome.FAILED) == {rule}


def test_at_least_20_services_are_broken_each_in_its_own_way() -> None:
    assert len({rule for rule, _ in OPEN.values()}) >= 20


# -- our own service, as it is served ------------------------------------------------------------


def test_our_service_breaks_no_rule() -> None:
    with service(CDS_STORE_URL="none") as ours:
        result = run("conformance", ours.address, *REQUESTS, fails=False)
    assert "0 warning, 0 FAILED, 0 not tried" in result.output


@contextmanager
def token_command(folder: Path) -> Iterator[str]:
    """A command that prints a new token for an address. It asks this process, to start fast."""

    class Signing(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(sign(self.rfile.readline().decode().strip()).encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Signing) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        script = folder / "ask-for-token"
        port = server.server_address[1]
        script.write_text(f'exec 3<>/dev/tcp/127.0.0.1/{port}; echo "$1" >&3; cat <&3\n')
        yield f"bash {script}"
        server.shutdown()


@contextmanager
def started(ours: Service) -> Iterator[None]:
    ours.start()
    try:
        yield
    finally:
        ours.stop()


def test_our_service_breaks_no_rule_where_it_asks_for_tokens(tmp_path: Path) -> None:
    settings = {
        "CDS_STORE_URL": f"sqlite:///{tmp_path / 'store.sqlite3'}",
        "CDS_ISSUERS": f"{ISSUER}={write_jwks(tmp_path, 'ES384')}",
    }
    ours = Service(settings, tmp_path / "output")
    settings["CDS_PUBLIC_URL"] = ours.address
    with started(ours), token_command(tmp_path) as command:
        without = run("conformance", ours.address, fails=True).output
        options = ("--token-cmd", command, "--json")
        result = run("conformance", ours.address, *REQUESTS[:3], *options, fails=False)
    assert "It asks for a token: name a command" in without
    found = json.loads(result.stdout)
    assert found["counts"] == {
        "passed": len(found["results"]),
        "warning": 0,
        "failed": 0,
        "not tried": 0,
    }
    assert {"T-3", "T-4", "T-5", "T-7", "T-8"} <= {each["rule"] for each in found["results"]}


# -- the command ---------------------------------------------------------------------------------


def test_junit_is_read_by_a_parser_of_junit(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    broken = card(indicator="hard-stop", detail="\x00<b>")()
    with served(lambda _: broken.app()) as base:
        result = run("conformance", base, "--junit", path, "--json", fails=True)
    report = JUnitXml.fromfile(str(path))
    found = json.loads(result.stdout)
    assert (report.tests, report.failures) == (len(found["results"]), 1)
    cases = [case for suite in report for case in suite]
    assert [case.name.split()[0] for case in cases] == [each["rule"] for each in found["results"]]
    [failed] = [case for case in cases if case.result]
    assert failed.name == f"C-4 {RULES['C-4'].sentence}" and failed.classname == "small"
    [failure] = failed.result
    assert isinstance(failure, Failure) and "hard-stop" in failure.message
    assert {suite.name for suite in report} == {"discovery", "small", "every answer"}


def test_what_was_not_tried_is_skipped_in_junit(tmp_path: Path) -> None:
    class Private(SmallService):
        def entry(self) -> dict[str, Any]:
            return super().entry() | {"hook": "org.example.chart"}

    path = tmp_path / "report.xml"
    with served(lambda _: Private().app()) as base:
        result = run("conformance", base, "--junit", path)
    assert "no request has the hook org.example.chart" in " ".join(result.output.split())
    cases = [case for suite in JUnitXml.fromfile(str(path)) for case in suite]
    skipped = [case for case in cases if any(isinstance(each, Skipped) for each in case.result)]
    assert [case.name.split()[0] for case in skipped] == ["S-1"]


def test_only_what_the_specification_demands_fails_if_nothing_else_is_asked() -> None:
    broken = card(links=[{"label": "a", "url": "http://a.org", "type": "absolute"}])()
    with served(lambda _: broken.app()) as base:
        assert "L-6  CLIENT" in run("conformance", base, fails=True).output
        assert "warning   L-6" in run("conformance", base, "--shall", fails=False).output


def test_each_line_fits_a_terminal_of_80_columns() -> None:
    with served(lambda _: SmallService().app()) as base:
        output = run("conformance", base, "--all").output
    assert output.count("passed") > 100
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments, status, text",
    [
        (["ftp://a.org"], 2, "expected an address such as"),
        ([f"http://127.0.0.1:{free_port()}"], 1, "no connection"),
        (["http://127.0.0.1:1", "{folder}/no.json"], 2, "does not exist"),
        (["http://127.0.0.1:1", "{folder}/broken.json"], 2, "is not JSON"),
        (["http://127.0.0.1:1", "{folder}/list.json"], 2, "no CDS Hooks request"),
        (["http://127.0.0.1:1", "--token-cmd", "no-such-command-anywhere"], 1, "--token-cmd: "),
        (["http://127.0.0.1:1", "--token-cmd", "'"], 2, "--token-cmd: "),
        (["http://127.0.0.1:1", "--token-cmd", "{python} -c 1/0"], 1, "ZeroDivisionError"),
        (["http://127.0.0.1:1", "--token-cmd", "{python} -c 1"], 1, "printed nothing"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    arguments: list[str], status: int, text: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    words = [each.format(folder=tmp_path, python=sys.executable) for each in arguments]
    result = run("conformance", *words, fails=True)
    assert result.exit_code == status
    assert text in " ".join(result.output.split())
    assert len(result.output.splitlines()) <= 4


def test_the_page_of_conformance_has_each_rule() -> None:
    page = (PROJECT / "docs" / "conformance.md").read_text(encoding="utf-8")
    for rule in RULES.values():
        assert f"| {rule.id} | {rule.level} | {rule.sentence} |" in page
