"""One client, one FHIR server, one record must not stop the others."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson
import pytest
import requests
from legs import ADDRESS, BODY, LEGS
from servers import Service, service

from benchmarks import processes

JSON = {"Content-Type": "application/json"}
AT_ONCE = 1.0  # seconds in which a call of a client that behaves is answered
MEBIBYTE = 1024 * 1024
MOST_MEMORY = 250 * 1024  # KiB
CONNECTIONS = 1500


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    with service(**LEGS, CDS_STORE_URL="none", CDS_REQUEST_TIMEOUT_MS="5000") as started:
        yield started


def _connect(running: Service) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", running.port), timeout=30))


def _head(length: int) -> bytes:
    return (
        f"POST {ADDRESS} HTTP/1.1\r\nHost: service\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _call(running: Service, body: bytes = BODY, address: str = ADDRESS) -> requests.Response:
    return requests.post(running.address + address, data=body, headers=JSON, timeout=30)


def _assert_answered_at_once(running: Service, address: str = ADDRESS) -> None:
    for _ in range(5):
        began = time.monotonic()
        health = requests.get(running.address + "/health/live", timeout=10)
        answer = _call(running, address=address)
        assert (health.status_code, answer.status_code) == (200, 200)
        assert time.monotonic() - began < 2 * AT_ONCE


@contextmanager
def _open_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"this machine allows {hard} open files, not {count}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_open_connections_delay_nobody() -> None:
    with _open_files(3 * CONNECTIONS), ExitStack() as stack:
        running = stack.enter_context(service(**LEGS, CDS_STORE_URL="none"))
        for number in range(CONNECTIONS):
            client = stack.enter_context(_connect(running))
            if number % 2:  # the others never say a word
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: service\r\n\r\n")
        _assert_answered_at_once(running)


def test_stalled_bodies_delay_nobody_and_end_with_408(running: Service) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(_connect(running)) for _ in range(64)]
        for client in clients:
            client.sendall(_head(1000) + b'{"hook": ')
        _assert_answered_at_once(running)
        answer = clients[0].recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ") and b'"OperationOutcome"' in answer


def test_a_head_that_does_not_end_is_cut_off(running: Service) -> None:
    with _connect(running) as client:
        client.sendall(b"GET /cds-services HTT")
        assert client.recv(4096) == b""


def test_a_body_of_empty_objects_is_refused_in_little_memory(running: Service) -> None:
    body = b'{"prefetch": {"x": [' + b"{}," * (5 * MEBIBYTE) + b"{}]}}"
    for _ in range(2):
        answer = _call(running, body)
        assert answer.status_code == 413
        assert answer.json()["issue"][0]["code"] == "too-long"
    if processes.HAS_PROC:
        worker = processes.memory_of_worker(running.process.pid)
        assert 0 < max(worker.values()) < MOST_MEMORY


def test_more_large_bodies_than_there_is_room_for_are_503(running: Service) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(_connect(running))
            client.sendall(_head(16 * MEBIBYTE) + b"{")
        body = b'{"hook": "' + b"x" * (2 * MEBIBYTE) + b'"}'
        # Until the service has read both heads, there is room.
        answers = (_call(running, body) for _ in range(1000))
        answer = next(each for each in answers if each.status_code != 400)
        assert answer.status_code == 503 and answer.headers["Retry-After"]
        _assert_answered_at_once(running)


def test_a_worker_that_dies_is_replaced() -> None:
    with service(**LEGS, CDS_STORE_URL="none", CDS_WORKERS="2") as running:
        os.kill(max(running.workers), signal.SIGKILL)
        running.wait_for_workers(3)  # the two, and the one that takes the place
        assert [_call(running).status_code for _ in range(20)] == [200] * 20


class _SlowFHIRServer(BaseHTTPRequestHandler):
    """Healthy, and takes half a second for everything."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(0.5)
        is_patient = self.path.startswith("/fhir/Patient/")
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": []}
        answer = {"resourceType": "Patient", "id": self.path.rpartition("/")[2]}
        body = orjson.dumps(answer if is_patient else bundle)
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def _slow_fhir_server() -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

    server = Server(("127.0.0.1", 0), _SlowFHIRServer)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/fhir"
    finally:
        server.shutdown()
        server.server_close()


def test_a_healthy_server_that_takes_half_a_second_is_not_suspended() -> None:
    # With the project's own content: sixteen of its calls ask for more lists than there are
    # connections.
    address = "/cds-services/anxiety-leg-weakness"
    with (
        _slow_fhir_server() as fhir,
        service(CDS_STORE_URL="none", CDS_DEVELOPMENT="true") as running,
    ):

        def fetch(number: int) -> int:
            request = {
                "hook": "patient-view",
                "hookInstance": f"00000000-0000-4000-8000-{number:012}",
                "fhirServer": fhir,
                "context": {"userId": "Practitioner/1", "patientId": f"p{number}"},
            }
            answer = requests.post(running.address + address, json=request, timeout=30)
            return answer.status_code

        with ThreadPoolExecutor(16) as pool:
            fetching = pool.map(fetch, range(96))
            for _ in range(3):
                _assert_answered_at_once(running, address)
            assert list(fetching) == [200] * 96
