"""Readers at a real server: a login outlives it until it is revoked, and no header forges it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from commands import run
from legs import ADDRESS, BODY, LEGS
from nginx import nginx
from servers import Service, service

_TIMEOUT = 60


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('readers') / 'store.sqlite3'}"


@pytest.fixture(scope="module")
def running(store_url: str) -> Iterator[Service]:
    settings = {
        "CDS_STORE_URL": store_url,
        "CDS_WORKERS": "2",
        "CDS_READER_HEADER": "X-Forwarded-User",
        "CDS_TRUSTED_PROXIES": "127.0.0.1",
    }
    with service(**LEGS, **settings) as started:
        yield started


def _signed_in(running: Service, token: str) -> requests.Session:
    browser = requests.Session()
    page = browser.get(f"{running.address}/sign-in", timeout=_TIMEOUT).text
    [form] = re.findall(r'name="form" value="([0-9a-f]{64})"', page)
    response = browser.post(
        f"{running.address}/sign-in",
        data={"form": form, "token": token},
        headers={"Origin": running.address},
        timeout=_TIMEOUT,
    )
    assert response.url == f"{running.address}/report" and response.status_code == 200
    return browser


def test_cookies_that_come_in_two_headers_are_read(running: Service, store_url: str) -> None:
    token = run("reader", "add", "ben", CDS_STORE_URL=store_url).stdout.strip()
    cookie = _signed_in(running, token).cookies["cds-reader"]
    connection = HTTPConnection("127.0.0.1", running.port, timeout=_TIMEOUT)
    connection.putrequest("GET", "/report.json")
    connection.putheader("Cookie", "of-another-program=1")
    connection.putheader("Cookie", f"cds-reader={cookie}")
    connection.endheaders()
    assert connection.getresponse().status == 200
    connection.close()


def _status(running: Service, browser: requests.Session, **headers: str) -> set[int]:
    """Of several requests, so that both workers get some."""
    address = f"{running.address}/report.json"
    close = {"Connection": "close"} | headers
    return {browser.get(address, headers=close, timeout=_TIMEOUT).status_code for _ in range(6)}


def test_a_login_holds_at_every_worker_and_after_a_restart_until_it_is_revoked(
    running: Service, store_url: str
) -> None:
    token = run("reader", "add", "ann", CDS_STORE_URL=store_url).stdout.strip()
    browser = _signed_in(running, token)
    assert _status(running, browser) == {200}
    assert running.stop() == 0
    running.start()
    assert _status(running, browser) == {200}
    run("reader", "revoke", "ann", CDS_STORE_URL=store_url)
    assert _status(running, browser) == {401}
    assert token not in running.printed()


def test_a_header_with_an_underscore_is_not_the_header_of_the_proxy(running: Service) -> None:
    visitor = requests.Session()
    assert _status(running, visitor) == {401}
    assert _status(running, visitor, **{"X-Forwarded-User": "ann"}) == {200}
    # A proxy that replaces the one with hyphens may let this one through.
    assert _status(running, visitor, **{"X_Forwarded_User": "mallory"}) == {401}
    assert _status(running, visitor, **{"X-Forwarded_User": "mallory"}) == {401}


# What many start with: it sends the name of the upstream as Host, and no header of its own.
BARE_NGINX = "server { listen 80; location / { proxy_pass http://service-1:8000; } }"


def test_a_proxy_that_says_nothing_of_itself_opens_nothing(tmp_path: Path) -> None:
    settings = {
        "CDS_STORE_URL": f"sqlite:///{tmp_path / 'store.sqlite3'}",
        "CDS_PUBLIC_URL": "https://cds.example.org/cds",
        "CDS_TRACE_VALUES": "true",
    }
    with (
        service(**LEGS, **settings) as started,
        nginx(started.port, configuration=BARE_NGINX) as proxy,
    ):
        called = requests.post(proxy + ADDRESS, json=json.loads(BODY), timeout=_TIMEOUT)
        card = called.json()["cards"][0]["uuid"]
        deadline = time.monotonic() + _TIMEOUT
        while requests.get(f"{proxy}/cards/{card}", timeout=_TIMEOUT).status_code != 200:
            assert time.monotonic() < deadline, "it was not written"
            time.sleep(0.05)
        for address in (proxy, started.address):
            statuses = {
                path: requests.get(address + path, timeout=_TIMEOUT).status_code
                for path in ("/report", "/report.json", "/report.csv", f"/trace/{card}", "/metrics")
            }
            assert [*statuses.values()] == [401, 401, 401, 401, 403], statuses
