"""The service as an operator has it: `cds-service serve` as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import orjson
import pytest
import requests
from cards.conversations import HASH_KEY
from commands import run
from legs import CONTENT, LEGS
from servers import FIXTURES, PROJECT, Service, free_port, refused, service
from sqlalchemy import text

from benchmarks import processes
from cds_service.store import open_store

REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
MOST_IMPORTS_TO_START = 7  # it takes about five
MOST_MEMORY = 130  # MiB
# Large libraries that only a few commands, pages or settings need.
NOT_FOR_CALLS = {
    "alembic",
    "duckdb",
    "flask_limiter",
    "jwt",
    "limits",
    "markdown_it",
    "nh3",
    "redis",
}
_OF_ANY_DAY = (
    "george-no-anxiety",
    "ada-generalised-anxiety--conditions-empty-page",
    "ada-generalised-anxiety--conditions-missing",
)

needs_proc = pytest.mark.skipif(
    not processes.HAS_PROC, reason="CPU and memory are read from /proc, which is not here"
)


@pytest.fixture(scope="module")
def served() -> Iterator[Service]:
    with service(CDS_HASH_KEY=HASH_KEY) as running:
        yield running


def test_discovery_names_the_service(served: Service) -> None:
    response = requests.get(served.address + "/cds-services", timeout=60)
    assert response.status_code == 200
    assert [each["id"] for each in response.json()["services"]] == ["anxiety-leg-weakness"]


@pytest.mark.skipif(not REQUESTS, reason="no golden requests are written; see `make golden`")
def test_a_fixture_gets_the_status_and_the_cards_of_its_golden_response(served: Service) -> None:
    # Those that do not depend on the day: the server has the clock of today.
    for name in _OF_ANY_DAY:
        body = (FIXTURES / "requests" / f"{name}.json").read_bytes()
        golden = orjson.loads((FIXTURES / "responses" / f"{name}.json").read_bytes())
        response = requests.post(
            served.address + "/cds-services/anxiety-leg-weakness",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
        assert response.status_code == golden["status"]
        assert response.json() == golden["body"]


@needs_proc
def test_it_starts_quickly_and_one_worker_is_small(served: Service) -> None:
    memory = processes.memory_of_worker(served.process.pid)["Rss"] / 1024
    # CPU in place of wall time, and beside what it takes to import libraries: how long one waits
    # depends on the machine, and on who else is busy.
    begun = processes.cpu_seconds_of_children()
    for _ in range(3):
        subprocess.run([sys.executable, "-c", "import flask, marshmallow, sqlalchemy"], check=True)
    importing = (processes.cpu_seconds_of_children() - begun) / 3
    print(f"CPU until the first answer {served.cpu_seconds:.2f} s, that of imports {importing:.2f}")
    print(f"RSS of the worker {memory:.0f} MiB")
    assert served.cpu_seconds < MOST_IMPORTS_TO_START * importing
    assert 10 < memory < MOST_MEMORY


def test_a_worker_imports_nothing_large_that_calls_do_not_need() -> None:
    program = "import sys, cds_service; cds_service.application; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert NOT_FOR_CALLS.isdisjoint(imported.stdout.split())


def test_sigterm_stops_it_cleanly() -> None:
    with service(**LEGS) as running:
        assert running.stop() == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(running.address + "/cds-services", timeout=60)


def test_a_broken_cards_folder_stops_the_start_and_is_named_by_file_and_key(
    tmp_path: Path,
) -> None:
    cards = copytree(CONTENT, tmp_path / "cards")
    service = cards / "legs" / "service.yaml"
    service.write_text(service.read_text().replace("most_cards: 4", "most_cards: many"))
    _, printed = refused(CDS_CARDS_DIR=str(cards))
    assert re.search(r"legs/service\.yaml:\d+: most_cards:", printed)


# -- what cannot start says so in one sentence --------------------------------------------------


def _assert_one_sentence(status: int, printed: str, sentence: str) -> None:
    assert status == 2
    assert printed.count(sentence) == 1
    assert "Traceback" not in printed and "Discovery" not in printed


# No machine has it: a fault that is not noticed ends there, and nothing starts.
ELSEWHERE = "192.0.2.1"


@pytest.mark.parametrize(
    ("options", "settings", "sentence"),
    [
        (["--workers", "0"], {}, "--workers"),
        (["--port", "0"], {}, "--port"),
        (["--port", "70000"], {}, "--port"),
        (["--port", "http"], {}, "--port"),
        ([], {"CDS_PORT": "http"}, "CDS_PORT: "),
        ([], {"CDS_PORT": "70000"}, "CDS_PORT: must be less than or equal to 65535"),
        ([], {"CDS_WORKERS": "0"}, "CDS_WORKERS: must be greater than or equal to 1"),
        ([], {"CDS_CARDS_DIR": "nowhere"}, "CDS_CARDS_DIR: "),
        ([], {"CDS_SUGGESTIONS": "perhaps"}, "CDS_SUGGESTIONS: "),
        ([], {"CDS_PROT": "1"}, "CDS_PROT: there is no such setting; did you mean CDS_PORT?"),
        ([], {}, f"{ELSEWHERE} is not an address of this machine"),
        (["--host", "no.such.host.invalid"], {}, "--host or CDS_HOST"),
    ],
    ids=str,
)
def test_a_start_fault_is_one_sentence_and_status_2(
    options: list[str], settings: dict[str, str], sentence: str
) -> None:
    settings = {"CDS_HOST": ELSEWHERE, "CDS_STORE_URL": "none"} | settings
    ended = run("serve", *options, fails=True, **settings)
    _assert_one_sentence(ended.exit_code, ended.output, sentence)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"CDS_PORT": "70000"}, "CDS_PORT: must be less than or equal to 65535"),
        ({"CDS_LANGUAGE": "tlh"}, "CDS_LANGUAGE: no card is written in tlh"),
        ({"CDS_SHADOW_RULES": "NO-SUCH"}, "CDS_SHADOW_RULES: there is no rule NO-SUCH"),
        ({"CDS_STORE_URL": "postgresql://cds@db.invalid/cds"}, "CDS_HASH_KEY: must be set"),
    ],
    ids=str,
)
def test_a_process_of_its_own_ends_with_one_sentence_too(
    settings: dict[str, str], sentence: str
) -> None:
    settings = LEGS | {"CDS_STORE_URL": "none", "CDS_PORT": str(free_port())} | settings
    _assert_one_sentence(*refused(**settings), sentence)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_another_server_has_is_named_and_not_shared(
    served: Service, workers: str
) -> None:
    port = served.address.rpartition(":")[2]
    status, printed = refused("--port", port, "--workers", workers)
    assert status == 2
    assert printed == (
        f"Port {port} of 127.0.0.1 is taken: stop the program that listens there, or choose"
        " another port with --port or CDS_PORT.\n"
    )


def test_a_host_may_be_a_name(tmp_path: Path) -> None:
    with service(**LEGS, CDS_HOST="localhost", CDS_STORE_URL="none") as running:
        assert requests.get(running.address + "/health/ready", timeout=10).status_code == 200


def test_a_store_of_a_newer_release_stops_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    store = open_store(url)
    assert store is not None
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    status, printed = refused("--port", str(free_port()), **LEGS, CDS_STORE_URL=url)
    assert status == 2
    assert printed.startswith("CDS_STORE_URL: a newer release made the schema of this store")
    assert printed.count("\n") == 1
