"""fixtures/load.py and `cds-service demo` against servers that note what they are sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
from commands import run
from servers import served

from cds_service import create_app
from cds_service.clock import now
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
PATIENTS = sorted((FIXTURES / "patients").glob("*.json"))
ODD = "dirk-dirty-record"
ADDRESS = "/cds-services/anxiety-leg-weakness"


class FHIRServer(ThreadingHTTPServer):
    """Not ready for as many calls as `not_ready` says; refuses the Bundles named in `refused`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.not_ready = 0
        self.metadata: Any = {"resourceType": "CapabilityStatement"}
        self.refused: set[str] = set()
        self.asked: list[str] = []
        self.resources: dict[str, Any] = {}
        self.content_types: set[str | None] = set()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/fhir"


class _Handler(BaseHTTPRequestHandler):
    server: FHIRServer

    def do_GET(self) -> None:
        self.server.asked.append(f"GET {self.path}")
        if self.server.not_ready:
            self.server.not_ready -= 1
            self._answer(503, None)
        else:
            self._answer(200, self.server.metadata)

    def do_POST(self) -> None:
        self.server.asked.append(f"POST {self.path}")
        self.server.content_types.add(self.headers["Content-Type"])
        bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if bundle["id"] in self.server.refused:
            issue = {"severity": "error", "code": "invalid", "diagnostics": "clinicalStatus"}
            self._answer(400, {"resourceType": "OperationOutcome", "issue": [issue]})
            return
        for entry in bundle["entry"]:
            self.server.resources[entry["request"]["url"]] = entry["resource"]
        self._answer(200, {"resourceType": "Bundle", "type": "transaction-response"})

    def _answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"" if body is None else json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test reads `asked`."""


@pytest.fixture
def server() -> Iterator[FHIRServer]:
    with FHIRServer() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def load(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FIXTURES / "load.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_invented_person_is_put_on_the_server(server: FHIRServer) -> None:
    result = load(server.base + "/")

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"{len(PATIENTS)} loaded, 0 refused"
    assert server.asked == ["GET /fhir/metadata", *["POST /fhir"] * len(PATIENTS)]
    assert server.content_types == {"application/fhir+json"}
    assert server.resources["Patient/ada"]["name"][0]["given"] == ["Ada"]


def test_loading_twice_leaves_the_same_resources(server: FHIRServer) -> None:
    load(server.base, *PATIENTS[:3])
    once = dict(server.resources)
    load(server.base, *PATIENTS[:3])

    assert once
    assert server.resources == once


def test_a_server_that_is_still_starting_is_waited_for(server: FHIRServer) -> None:
    server.not_ready = 1
    result = load(server.base, PATIENTS[0])

    assert result.returncode == 0, result.stderr
    assert server.asked == ["GET /fhir/metadata"] * 2 + ["POST /fhir"]


def test_a_server_that_never_gets_ready_is_named_and_sent_nothing(server: FHIRServer) -> None:
    server.not_ready = 99
    result = load(server.base, PATIENTS[0], "--wait", "0")

    assert result.returncode == 1
    assert result.stderr == f"{server.base}/metadata does not answer: 503\n"
    assert server.asked == ["GET /fhir/metadata"]


def test_an_address_that_is_no_fhir_server_is_sent_nothing(server: FHIRServer) -> None:
    server.metadata = {"hello": "world"}
    result = load(server.base, PATIENTS[0], "--wait", "0")

    assert result.returncode == 1
    assert result.stderr.endswith("no CapabilityStatement came\n")
    assert server.resources == {}


def test_a_refused_record_is_named_with_the_reason_and_the_others_are_loaded(
    server: FHIRServer,
) -> None:
    server.refused = {PATIENTS[0].stem}
    result = load(server.base, *PATIENTS[:2])

    assert result.returncode == 1
    assert result.stderr == f"{PATIENTS[0].stem}: refused, 400 clinicalStatus\n"
    assert result.stdout.splitlines() == [f"{PATIENTS[1].stem}: loaded", "1 loaded, 1 refused"]


def test_a_strict_server_may_refuse_the_records_that_are_odd_on_purpose(
    server: FHIRServer,
) -> None:
    server.refused = {ODD}
    result = load(server.base, FIXTURES / "patients" / f"{ODD}.json")

    assert result.returncode == 0
    assert f"{ODD}: refused" in result.stderr


def test_what_is_no_address_is_refused_before_anything_is_sent() -> None:
    result = load("localhost:8080/fhir")

    assert result.returncode == 2
    assert "expected an http or https address" in result.stderr


# -- the dates of today --------------------------------------------------------------------------


def test_the_dates_move_to_today_when_asked(server: FHIRServer) -> None:
    samuel = FIXTURES / "patients" / "samuel-potassium-2-3.json"
    load(server.base, samuel)
    as_told = server.resources["Observation/samuel-potassium"]["effectiveDateTime"]
    result = load(server.base, samuel, "--shift-to-today")

    assert result.returncode == 0, result.stderr
    moved = server.resources["Observation/samuel-potassium"]["effectiveDateTime"]
    assert as_told.startswith("2026-11-22")
    assert 0 <= (now().date() - datetime.fromisoformat(moved).date()).days <= 1


def test_the_script_needs_the_standard_library_alone(server: FHIRServer) -> None:
    command = [sys.executable, "-S", str(FIXTURES / "load.py"), server.base, str(PATIENTS[0])]
    done = subprocess.run(
        [*command, "--shift-to-today"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_demo_lists_everybody() -> None:
    output = run("demo").output
    assert all(path.stem in output for path in PATIENTS)


def test_demo_prints_a_request_that_a_service_answers_today(cards: Knowledge) -> None:
    request = orjson.loads(run("demo", "samuel").output)
    application = create_app(Settings(store_url="none"), cards)
    answer = application.test_client().post(ADDRESS, json=request)
    assert [card["indicator"] for card in answer.get_json()["cards"]] == ["critical"]


def test_demo_posts_a_person_and_shows_the_cards(cards: Knowledge) -> None:
    application = create_app(Settings(store_url="none"), cards)
    with served(lambda _: application) as base:
        for url in (base, f"{base}/", base + ADDRESS):
            assert "Potassium 2.3" in run("demo", "samuel", "--post", url).output
        assert "No cards" in run("demo", "george", "--post", base).output
        refused = run("demo", "samuel", "--post", f"{base}/cds-services/none", fails=True)
        assert "404 No CDS Service has this id" in refused.stderr
        nothing = run("demo", "samuel", "--post", f"{base}/about#/cds-services/", fails=True)
        assert "405" in nothing.stderr or "404" in nothing.stderr


def test_demo_loads_one_or_all(server: FHIRServer) -> None:
    server.refused = {ODD}
    assert run("demo", "ada", "--load", server.base).output == "ada-generalised-anxiety: loaded\n"
    assert run("demo", "--load", server.base + "/").output.count(": loaded") == len(PATIENTS) - 1
    assert run("demo", "ada", "--bundle").output.startswith('{\n  "resourceType": "Bundle"')
    server.refused = {"ada-generalised-anxiety"}
    assert "400 clinicalStatus" in run("demo", "ada", "--load", server.base, fails=True).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "No invented person has this name"),
        (("../../etc/passwd",), "No invented person has this name"),
        (("--bundle",), "say who"),
        (("--post", "http://localhost"), "say who"),
        (("ada", "--post", "localhost"), "http or https address"),
        (("ada", "--load", "ftp://localhost"), "http or https address"),
        (("ada", "--post", "http://127.0.0.1:1"), "refused"),
    ],
)
def test_demo_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    assert said in run("demo", *arguments, fails=True).stderr
