"""Connections: the address that was checked is the one that is used, and answers end in time."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from integration.misbehaving_server import MisbehavingServer, misbehaving_server

from cds_service.fhir import connections as transport
from cds_service.fhir.addresses import AllowList
from cds_service.fhir.connections import AddressBarred

NAME = "fhir.example.org"
IN_TIME = 10  # seconds; what is not cut off takes minutes


@pytest.fixture(scope="module")
def server() -> Iterator[MisbehavingServer]:
    with misbehaving_server() as running:
        yield running


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let NAME lead to these addresses, one list for each time that it is looked up.

    The resolver is the only thing that is replaced in these tests: a name of our own that leads
    inwards cannot be had from a real one, least of all a different way the second time.
    """
    real = socket.getaddrinfo
    asked: list[str] = []

    def install(*answers: list[str]) -> list[str]:
        remaining = list(answers)

        def look_up(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
            if host != NAME:
                return real(host, port, *args, **kwargs)
            asked.append(host)
            found = remaining.pop(0)
            return [entry for each in found for entry in real(each, port, *args, **kwargs)]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return install


@pytest.fixture
def session() -> Iterator[Callable[..., requests.Session]]:
    made: list[requests.Session] = []

    def make(permits: Callable[[str, str], bool]) -> requests.Session:
        made.append(transport.session(permits, connections=4, authorities=None))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_public_name_that_leads_inwards_is_not_connected_to(
    scheme: str,
    address: str,
    server: MisbehavingServer,
    resolve: Callable[..., list[str]],
    session: Callable[..., requests.Session],
) -> None:
    resolve([address])
    server.seen.clear()
    with pytest.raises(AddressBarred):
        session(AllowList().permits).get(f"{scheme}://{NAME}:{server.port}/well/x", timeout=20)
    assert server.seen == []


def test_a_name_is_looked_up_once_for_a_connection_and_the_checked_address_is_used(
    server: MisbehavingServer,
    resolve: Callable[..., list[str]],
    session: Callable[..., requests.Session],
) -> None:
    asked = resolve(["127.0.0.1"], ["169.254.169.254"])
    checked: list[str] = []
    made = session(lambda host, address: not checked.append(address))
    for _ in range(2):  # the second time over the same connection
        response = made.get(f"http://{NAME}:{server.port}/well/Condition", timeout=20)
        assert response.status_code == 200
    assert (asked, checked) == ([NAME], ["127.0.0.1"])


def test_of_several_addresses_only_permitted_ones_are_tried_until_one_answers(
    server: MisbehavingServer,
    resolve: Callable[..., list[str]],
    session: Callable[..., requests.Session],
) -> None:
    resolve(["169.254.169.254", "127.0.0.2", "127.0.0.1"])  # nobody listens on the second
    made = session(lambda host, address: address.startswith("127."))
    response = made.get(f"http://{NAME}:{server.port}/well/Condition", timeout=20)
    assert response.status_code == 200


@pytest.mark.parametrize("name", ["no-such-name.invalid", f"{'a' * 70}.example.org"])
def test_a_name_without_an_address_is_a_failed_connection(
    name: str, session: Callable[..., requests.Session]
) -> None:
    with pytest.raises(requests.ConnectionError):
        session(AllowList().permits).get(f"https://{name}/", timeout=20)


@pytest.mark.parametrize("mood", ["slow-first-byte", "slow-head", "slow-body", "slow-chunks"])
def test_the_timeout_holds_for_the_whole_answer(
    mood: str, server: MisbehavingServer, session: Callable[..., requests.Session]
) -> None:
    made = session(lambda host, address: True)
    started = time.perf_counter()
    with pytest.raises((requests.Timeout, requests.ConnectionError)):
        made.get(f"{server.base(mood)}/Condition", timeout=0.3)
    assert 0.2 < time.perf_counter() - started < IN_TIME


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_server(authority: trustme.CA) -> Iterator[MisbehavingServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with misbehaving_server(context) as running:
        yield running


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> Iterator[requests.Session]:
    """A session that trusts the authority of the server by https."""
    authorities = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(authorities))
    allow_list = AllowList(networks=(ip_network("127.0.0.0/8"),))
    made = transport.session(allow_list.permits, connections=4, authorities=authorities)
    yield made
    made.close()


def test_https_goes_to_the_checked_address_and_asks_for_the_name(
    tls_server: MisbehavingServer, trusting: requests.Session
) -> None:
    tls_server.seen.clear()
    for _ in range(2):
        address = f"https://localhost:{tls_server.port}/well/Condition"
        assert trusting.get(address, timeout=20).status_code == 200
    assert len(tls_server.seen) == 2


def test_a_certificate_of_another_name_or_authority_is_not_taken(
    tls_server: MisbehavingServer,
    trusting: requests.Session,
    session: Callable[..., requests.Session],
) -> None:
    tls_server.seen.clear()
    with pytest.raises(requests.exceptions.SSLError):
        trusting.get(f"https://127.0.0.1:{tls_server.port}/well/Condition", timeout=20)
    with pytest.raises(requests.exceptions.SSLError):
        session(lambda host, address: True).get(
            f"https://localhost:{tls_server.port}/well/Condition", timeout=20
        )
    assert tls_server.seen == []


@pytest.mark.parametrize("mood", ["slow-first-byte", "slow-head", "slow-body"])
def test_the_timeout_holds_for_the_whole_answer_by_https_too(
    mood: str, tls_server: MisbehavingServer, trusting: requests.Session
) -> None:
    started = time.perf_counter()
    with pytest.raises((requests.Timeout, requests.ConnectionError)):
        trusting.get(f"https://localhost:{tls_server.port}/{mood}/Condition", timeout=0.3)
    assert 0.2 < time.perf_counter() - started < IN_TIME


def test_nothing_is_taken_from_the_environment(
    server: MisbehavingServer,
    session: Callable[..., requests.Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    made = session(lambda host, address: True)
    assert made.get(f"{server.base('well')}/Condition", timeout=20).status_code == 200


def test_cookies_are_not_kept(
    server: MisbehavingServer, session: Callable[..., requests.Session]
) -> None:
    made = session(lambda host, address: True)
    for _ in range(2):
        response = made.get(f"{server.base('cookie')}/Condition", timeout=20)
        assert "Set-Cookie" in response.headers
    assert list(made.cookies) == []
    assert "cookie" not in server.seen[-1].headers
