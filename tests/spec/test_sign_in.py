"""Signing in to the pages with figures, attacked: forms of others, cookies, guesses, headers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, assert_outcome
from databases import sqlite_with_schema
from flask import Flask
from flask.testing import FlaskClient
from seeds import Seeds
from tokens import ISSUER, PUBLIC_URL, Signer, write_jwks
from werkzeug.test import TestResponse

from cds_service import create_app
from cds_service.environment import from_environment
from cds_service.errors import SettingsError
from cds_service.knowledge import Knowledge
from cds_service.readers.attempts import MOST
from cds_service.readers.sessions import LIFE, hash_of, new_cookie, new_token
from cds_service.setting_types import Issuer
from cds_service.settings import Settings
from cds_service.store import open_store
from cds_service.store.calls import calls
from cds_service.store.readers import add_reader, revoke_reader
from cds_service.telemetry.audit import audit_events
from cds_service.web.collaborators import EXTENSION

HASH_KEY = "0123456789abcdef0123456789abcdef"
FIGURES = ("/report", "/report.json", "/report.csv")
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OURS = {"Sec-Fetch-Site": "same-origin"}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}  # an address of nobody (RFC 5737)
# As a proxy on this machine calls that sends no header of its own.
UPSTREAM: dict[str, Any] = {"base_url": "http://127.0.0.1:8912"}
TRACE = "/trace/0b9a3f5e-5a0e-4c55-a0b8-0d5d3c0d2f11"


class Site:
    """A service with figures in its store, and a reader: ann."""

    def __init__(self, cards: Knowledge, url: str, **changes: Any) -> None:
        self.now = NOW
        store = open_store(url)
        assert store is not None
        seeds = Seeds(store, NOW - timedelta(hours=1))
        seeds.call()
        self.card = seeds.card("R51")
        seeds.override(self.card, "rule-wrong")
        self.token = new_token()
        add_reader(store, "ann", hash_of(self.token), NOW)
        store.close()
        self._cards = cards
        self._settings = Settings(store_url=url, hash_key=HASH_KEY, **changes)
        self.app = self.started()

    def started(self) -> Flask:
        """The service as it starts, once more."""
        return create_app(self._settings, self._cards, lambda: self.now)

    def close(self) -> None:
        self.memory.writer.close()
        self.memory.store.close()

    @property
    def memory(self) -> Any:
        return self.app.extensions[EXTENSION].memory

    def browser(self, app: Flask | None = None) -> FlaskClient:
        return (app or self.app).test_client()

    def signed_in(self) -> FlaskClient:
        browser = self.browser()
        assert sign_in(browser, self.token).status_code == 303
        return browser


@pytest.fixture
def make(cards: Knowledge, tmp_path: Path) -> Callable[..., Site]:
    url = sqlite_with_schema(tmp_path / "store.sqlite3")
    return lambda **changes: Site(cards, url, **changes)


@pytest.fixture
def site(make: Callable[..., Site]) -> Iterator[Site]:
    made = make()
    yield made
    made.close()


@pytest.fixture
def stored(cards: Knowledge, store_url: str) -> Iterator[Site]:
    """The same, once with each kind of database."""
    made = Site(cards, store_url)
    yield made
    made.close()


def form_of(response: TestResponse) -> str:
    """The token in the form of a page."""
    [found] = re.findall(r'name="form" value="([0-9a-f]{64})"', response.text)
    return str(found)


def sign_in(browser: FlaskClient, token: str, prefix: str = "", **fields: str) -> TestResponse:
    """Open the page, and send its form as a browser does."""
    form = form_of(browser.get(f"{prefix}/sign-in"))
    data = {"form": form, "token": token, **fields}
    return browser.post(f"{prefix}/sign-in", data=data, headers=OURS)


def cookie_of(browser: FlaskClient, name: str = "cds-reader", path: str = "/") -> str:
    cookie = browser.get_cookie(name, path=path)
    assert cookie is not None
    return cookie.value


def reads(browser: FlaskClient, **options: Any) -> bool:
    return browser.get("/report", **options).status_code == 200


# -- who reads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FIGURES)
def test_a_visitor_without_a_login_sees_no_figure(site: Site, path: str) -> None:
    for where in ({}, ELSEWHERE):
        as_program = site.browser().get(path, environ_overrides=where)
        assert_outcome(as_program, 401)
        as_person = site.browser().get(path, headers=BROWSER, environ_overrides=where)
        assert as_person.status_code == 303
        assert as_person.headers["Location"].startswith("/sign-in?to=/report")
        assert "R51" not in as_program.text + as_person.text


def test_a_reader_signs_in_and_comes_to_what_was_asked_for(site: Site) -> None:
    browser = site.browser()
    asked = browser.get("/report?since=7d", headers=BROWSER)
    page = browser.get(asked.headers["Location"])
    assert page.status_code == 200 and 'name="to" value="/report?since=7d"' in page.text
    data = {"form": form_of(page), "token": f" {site.token}\n", "to": "/report?since=7d"}
    response = browser.post("/sign-in", data=data, headers=OURS)
    assert (response.status_code, response.headers["Location"]) == (303, "/report?since=7d")
    report = browser.get("/report?since=7d")
    assert report.status_code == 200 and "R51" in report.text and ">ann</a>" in report.text
    assert all(browser.get(path).status_code == 200 for path in FIGURES)


def test_the_login_outlives_the_service(stored: Site) -> None:
    browser = stored.signed_in()
    again = stored.browser(stored.started())
    again.set_cookie("cds-reader", cookie_of(browser))
    assert reads(again)


def test_a_revoked_reader_reads_nothing_more(stored: Site) -> None:
    browser = stored.signed_in()
    assert reads(browser)
    revoke_reader(stored.memory.store, "ann", NOW)
    assert not reads(browser)
    assert sign_in(browser, stored.token).status_code == 401
    # The last reader is gone, and the report stays closed.
    assert not reads(stored.browser())


def test_a_login_ends_after_a_working_day(stored: Site) -> None:
    browser = stored.signed_in()
    stored.now = NOW + LIFE - timedelta(seconds=1)
    assert reads(browser)
    stored.now = NOW + LIFE
    assert not reads(browser)


def test_who_signs_out_is_out_and_so_is_a_copy_of_the_cookie(stored: Site) -> None:
    browser = stored.signed_in()
    stolen = cookie_of(browser)
    page = browser.get("/sign-in")
    assert "You are signed in as ann" in page.text and "2026-11-22 21:30 UTC" in page.text
    response = browser.post("/sign-out", data={"form": form_of(page)}, headers=OURS)
    assert (response.status_code, response.headers["Location"]) == (303, "/sign-in")
    browser.set_cookie("cds-reader", stolen)
    assert not reads(browser)


def test_a_service_that_keeps_nothing_has_nothing_to_sign_in_to(cards: Knowledge) -> None:
    client = create_app(Settings(store_url="none"), cards, lambda: NOW).test_client()
    assert_outcome(client.get("/sign-in"), 404)
    assert_outcome(client.post("/sign-in", data={"token": "x"}), 404)


# -- who reads without a login -------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, request_, is_open",
    [
        ({}, {}, True),
        ({}, {"environ_overrides": ELSEWHERE}, False),
        ({}, {"base_url": "http://cds.example.org"}, False),
        ({}, {"headers": {"X-Forwarded-For": "192.0.2.7"}}, False),
        ({"development": True}, {"environ_overrides": ELSEWHERE}, True),
        ({"development": True}, {"base_url": "http://rebound.example.org"}, False),
        ({"development": True}, {"headers": {"Forwarded": "for=192.0.2.7"}}, False),
        ({"reader_header": "X-User", "trusted_proxies": (ip_network("10.0.0.1"),)}, {}, False),
        # A proxy may send the host name of its upstream and no header: only settings tell of it.
        ({"public_url": "https://cds.example.org"}, UPSTREAM, False),
        ({"public_url": "https://cds.example.org", "development": True}, UPSTREAM, False),
        ({"public_url": "https://192.0.2.7/cds"}, UPSTREAM, False),
        ({"public_url": "https://localhost.example.org"}, UPSTREAM, False),
        ({"public_url": "http://localhost:8912"}, UPSTREAM, True),
        ({"public_url": "http://[::1]:8912/cds"}, UPSTREAM, True),
        ({"trusted_proxies": (ip_network("127.0.0.0/8"),)}, UPSTREAM, False),
        ({"trusted_proxies": (ip_network("10.0.0.1"),)}, UPSTREAM, True),
    ],
)
def test_until_there_is_a_reader_the_report_is_open_on_this_machine_alone(
    cards: Knowledge, tmp_path: Path, changes: Any, request_: Any, is_open: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    app = create_app(Settings(store_url=url, **changes), cards, lambda: NOW)
    assert reads(app.test_client(), **request_) is is_open
    trace = app.test_client().get(TRACE, **request_)
    assert_outcome(trace, 404 if is_open else 401)
    add_reader(app.extensions[EXTENSION].memory.store, "ann", hash_of(new_token()), NOW)
    assert not reads(app.test_client(), **request_)
    assert_outcome(app.test_client().get(TRACE, **request_), 401)


def test_where_clients_are_named_the_report_is_never_open(cards: Knowledge, tmp_path: Path) -> None:
    settings = Settings(
        store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
        issuers=(Issuer(ISSUER, str(write_jwks(tmp_path, "ES384"))),),
        public_url=PUBLIC_URL,
        development=True,
    )
    assert not reads(create_app(settings, cards, lambda: NOW).test_client())


def test_a_client_reads_the_data_and_not_the_page(
    make: Callable[..., Site], tmp_path: Path
) -> None:
    issuer = Issuer(ISSUER, str(write_jwks(tmp_path, "ES384")))
    client = make(issuers=(issuer,), public_url=PUBLIC_URL).browser()
    for path, status in {"/report.json": 200, "/report.csv": 200, "/report": 401}.items():
        headers = Signer().bearer(PUBLIC_URL + path)
        assert client.get(path, headers=headers).status_code == status
    wrong = Signer().bearer(f"{PUBLIC_URL}/cds-services")
    assert client.get("/report.json", headers=wrong).status_code == 401


def test_without_clients_a_bearer_token_opens_nothing(site: Site) -> None:
    for token in (site.token, Signer().token(f"{PUBLIC_URL}/report.json")):
        headers = {"Authorization": f"Bearer {token}"}
        assert site.browser().get("/report.json", headers=headers).status_code == 401


@pytest.mark.parametrize("has_clients", [True, False])
def test_a_trace_is_for_those_who_may_read_the_report(
    make: Callable[..., Site], tmp_path: Path, has_clients: bool
) -> None:
    issuers = (Issuer(ISSUER, str(write_jwks(tmp_path, "ES384"))),) if has_clients else ()
    site = make(issuers=issuers, public_url=PUBLIC_URL)
    address = f"/trace/{site.card}"
    for request_ in ({}, UPSTREAM, {"headers": {"X-Forwarded-For": "127.0.0.1"}}):
        response = site.browser().get(address, **request_)
        assert_outcome(response, 401)
        assert "R51" not in response.text
    led = site.browser().get(address, headers=BROWSER)
    assert led.headers["Location"].endswith(f"/sign-in?to=/trace/{site.card}")
    as_client = site.browser().get(address, headers=Signer().bearer(PUBLIC_URL + address))
    assert as_client.status_code == (200 if has_clients else 401)
    wrong = Signer().bearer(PUBLIC_URL + "/report.json")
    assert site.browser().get(address, headers=wrong).status_code == 401
    base = {"base_url": PUBLIC_URL}  # the cookie is for https
    browser = site.browser()
    data = {"form": form_of(browser.get("/sign-in", **base)), "token": site.token}
    assert browser.post("/sign-in", data=data, headers=OURS, **base).status_code == 303
    trace = browser.get(address, **base)
    assert trace.status_code == 200 and "R51" in trace.text
    assert trace.headers["Cache-Control"] == "no-store"


# -- forms of others -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "null"},
        {"Origin": "https://example.org"},
        {"Origin": "http://localhost.example.org"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "://"},
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_page_of_others_sends_no_form(site: Site, path: str, headers: dict[str, str]) -> None:
    browser = site.signed_in() if path == "/sign-out" else site.browser()
    data = {"form": form_of(browser.get("/sign-in")), "token": site.token}
    response = browser.post(path, data=data, headers=headers)
    assert response.status_code == 403
    assert "came from another page" in response.text
    assert reads(browser) is (path == "/sign-out")


def test_a_browser_that_only_says_the_origin_is_believed(make: Callable[..., Site]) -> None:
    site = make(public_url="https://cds.example.org")
    for origin, status in {"https://cds.example.org": 303, "http://cds.example.org": 403}.items():
        browser = site.browser()
        page = browser.get("/sign-in", base_url="https://inside/")
        data = {"form": form_of(page), "token": site.token}
        headers = {"Origin": origin}
        response = browser.post("/sign-in", data=data, headers=headers, base_url="https://inside/")
        assert response.status_code == status


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_form_needs_the_token_that_was_made_for_its_cookie(site: Site, path: str) -> None:
    stranger = form_of(site.browser().get("/sign-in"))
    browser = site.signed_in() if path == "/sign-out" else site.browser()
    browser.get("/sign-in")
    for form in (stranger, "", "0" * 64, "é", cookie_of(browser)):
        data = {"form": form, "token": site.token}
        assert browser.post(path, data=data, headers=OURS).status_code == 403
    assert browser.post(path, data={"token": site.token}, headers=OURS).status_code == 403
    assert browser.post(path, json={"token": site.token}, headers=OURS).status_code == 403


def test_a_form_without_a_cookie_or_with_an_odd_one_is_refused(site: Site) -> None:
    form = form_of(site.browser().get("/sign-in"))
    for cookie in ("", "a", "../" * 20, new_cookie()):
        browser = site.browser()
        browser.set_cookie("cds-reader", cookie)
        data = {"form": form, "token": site.token}
        assert browser.post("/sign-in", data=data, headers=OURS).status_code == 403


def test_signing_in_and_out_takes_a_post(site: Site) -> None:
    browser = site.signed_in()
    assert browser.get("/sign-out").status_code == 405
    assert reads(browser)
    assert not reads(site.browser(), query_string={"token": site.token})


def test_a_form_of_any_length_is_413(site: Site) -> None:
    browser = site.browser()
    browser.get("/sign-in")
    response = browser.post("/sign-in", data={"token": "a" * 9000}, headers=OURS)
    assert response.status_code == 413


# -- cookies -------------------------------------------------------------------------------------


def test_the_cookie_of_before_is_not_the_one_of_the_session(stored: Site) -> None:
    browser = stored.browser()
    browser.get("/sign-in")
    planted = cookie_of(browser)
    assert sign_in(browser, stored.token).status_code == 303
    assert cookie_of(browser) != planted
    attacker = stored.browser()
    attacker.set_cookie("cds-reader", planted)
    assert not reads(attacker) and reads(browser)


def test_who_signs_in_again_has_a_new_session_and_the_old_one_ends(site: Site) -> None:
    browser = site.signed_in()
    old = cookie_of(browser)
    data = {"form": form_of(browser.get("/sign-in")), "token": site.token}
    assert browser.post("/sign-in", data=data, headers=OURS).status_code == 303
    assert cookie_of(browser) != old and reads(browser)
    browser.set_cookie("cds-reader", old)
    assert not reads(browser)


@pytest.mark.parametrize("value", ["", "a", "' OR 1=1 --", "a" * 43, "é" * 43, "x" * 5000])
def test_a_cookie_that_is_made_up_opens_nothing(site: Site, value: str) -> None:
    response = site.browser().get("/report", headers={"Cookie": f"cds-reader={value}"})
    assert response.status_code == 401


@pytest.mark.parametrize(
    "public_url, expected",
    [
        ("", r"cds-reader=[\w-]{43}; HttpOnly; Path=/; SameSite=Lax"),
        (
            "https://cds.example.org",
            r"__Host-cds-reader=[\w-]{43}; Secure; HttpOnly; Path=/; SameSite=Lax",
        ),
        (
            "https://cds.example.org/clinic",
            r"__Secure-cds-reader=[\w-]{43}; Secure; HttpOnly; Path=/clinic; SameSite=Lax",
        ),
    ],
)
def test_cookies_are_for_no_script_no_other_site_and_no_plain_http(
    make: Callable[..., Site], public_url: str, expected: str
) -> None:
    site = make(**{"public_url": public_url} if public_url else {})
    base = public_url or "http://localhost"
    browser = site.browser()
    page = browser.get("/sign-in", base_url=base)
    data = {"form": form_of(page), "token": site.token}
    response = browser.post("/sign-in", data=data, headers=OURS, base_url=base)
    assert response.status_code == 303
    for answer in (page, response):
        [cookie] = answer.headers.getlist("Set-Cookie")
        assert re.fullmatch(expected, cookie), cookie


def test_below_a_prefix_all_links_hold(make: Callable[..., Site]) -> None:
    site = make(public_url="http://localhost/clinic")
    browser = site.browser()
    asked = browser.get("/clinic/report?since=7d", headers=BROWSER)
    assert asked.headers["Location"] == "/clinic/sign-in?to=/report?since%3D7d"
    page = browser.get(asked.headers["Location"])
    assert 'action="/clinic/sign-in"' in page.text
    data = {"form": form_of(page), "token": site.token, "to": "/report?since=7d"}
    response = browser.post("/clinic/sign-in", data=data, headers=OURS)
    assert response.headers["Location"] == "/clinic/report?since=7d"
    assert browser.get("/clinic/report?since=7d").status_code == 200
    assert "/clinic/sign-out" in browser.get("/clinic/sign-in").text


@pytest.mark.parametrize("prefix", ["", "/clinic"])
@pytest.mark.parametrize(
    "to",
    [
        "https://example.org/",
        "//example.org/",
        "/\\example.org",
        "\\\\example.org",
        "javascript:alert(1)",
        "/report\r\nSet-Cookie: a=b",
        "/report#x",
        "",
        "/",
        "report",
        "/@example.org",
        "/report/../../other",
        "/..",
        "/report/..",
        "/report/./x",
        "/report/.../x",
        "/report//example.org",
        "/report/%2e%2e/other",
        "/report/..%2fother",
        "/report/..\\other",
        "/report/..;/other",
        "/../other?since=7d",
    ],
)
def test_after_signing_in_nobody_is_led_elsewhere(
    make: Callable[..., Site], to: str, prefix: str
) -> None:
    site = make(public_url=f"http://localhost{prefix}")
    page = site.browser().get(f"{prefix}/sign-in", query_string={"to": to})
    assert 'name="to" value=""' in page.text
    response = sign_in(site.browser(), site.token, prefix, to=to)
    assert response.headers["Location"] == f"{prefix}/report"


# -- guesses -------------------------------------------------------------------------------------


def test_guessing_is_slowed_down_by_address_and_not_counted_as_calls(site: Site) -> None:
    browser = site.browser()
    statuses = [sign_in(browser, new_token()).status_code for _ in range(MOST)]
    assert statuses == [401] * MOST
    refused = sign_in(browser, site.token)
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "60"
    assert "Too many attempts" in refused.text
    assert browser.get("/cds-services").status_code == 200
    elsewhere = site.browser()
    data = {"form": form_of(elsewhere.get("/sign-in")), "token": site.token}
    response = elsewhere.post("/sign-in", data=data, headers=OURS, environ_overrides=ELSEWHERE)
    assert response.status_code == 303


def test_behind_a_proxy_one_who_guesses_does_not_keep_others_out(make: Callable[..., Site]) -> None:
    site = make(trusted_proxies=(ip_network("127.0.0.1"),))
    for visitor, guesses in (("192.0.2.7", MOST + 1), ("192.0.2.8", 1)):
        for number in range(guesses):
            browser = site.browser()
            data = {"form": form_of(browser.get("/sign-in")), "token": "guess"}
            headers = OURS | {"X-Forwarded-For": f"{number}.1.1.1, {visitor}"}
            status = browser.post("/sign-in", data=data, headers=headers).status_code
        assert status == (429 if guesses > MOST else 401)


@pytest.mark.parametrize(
    "passed",
    [
        "192.0.2.7:{}",
        "2001:db8:0:7::{}",
        "[2001:db8:0:7::{}]:{}",
        "::ffff:192.0.2.7%{}",
        "_nobody{}",
    ],
)
def test_ports_and_addresses_of_one_network_are_no_new_visitors(
    make: Callable[..., Site], passed: str
) -> None:
    site = make(trusted_proxies=(ip_network("127.0.0.1"),))
    browser = site.browser()
    data = {"form": form_of(browser.get("/sign-in")), "token": "guess"}
    statuses = []
    for number in range(1, MOST + 2):
        headers = OURS | {"X-Forwarded-For": passed.format(number, number + 4000)}
        statuses.append(browser.post("/sign-in", data=data, headers=headers).status_code)
    assert statuses == [401] * MOST + [429]


def test_a_wrong_token_is_not_repeated_on_the_page_nor_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    wrong = "<b>of my colleague</b>"
    response = sign_in(site.browser(), wrong)
    assert response.status_code == 401 and response.headers["WWW-Authenticate"] == "Bearer"
    assert "This token is not known" in response.text and "colleague" not in response.text
    sign_in(site.browser(), site.token)
    assert "colleague" not in caplog.text and site.token not in caplog.text
    assert "reader:ann" in caplog.text


# -- a proxy that knows who reads ----------------------------------------------------------------


PROXIED = {"reader_header": "X-Forwarded-User", "trusted_proxies": (ip_network("10.0.0.0/8"),)}


def test_the_header_of_a_trusted_proxy_names_the_reader(make: Callable[..., Site]) -> None:
    site = make(**PROXIED)
    proxy = {"REMOTE_ADDR": "10.0.0.3"}
    headers = {"X-Forwarded-User": "ben"}
    browser = site.browser()
    assert reads(browser, headers=headers, environ_overrides=proxy)
    assert not reads(browser, environ_overrides=proxy)
    assert not reads(browser, headers={"X-Forwarded-User": " "}, environ_overrides=proxy)


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.7", "::1"])
def test_the_header_of_anybody_else_names_nobody(make: Callable[..., Site], peer: str) -> None:
    headers = {"X-Forwarded-User": "ben", "X-Forwarded-For": "10.0.0.3", "X-Real-IP": "10.0.0.3"}
    where = {"REMOTE_ADDR": peer}
    assert not reads(make(**PROXIED).browser(), headers=headers, environ_overrides=where)


def test_without_the_setting_the_header_is_not_looked_at(make: Callable[..., Site]) -> None:
    site = make(trusted_proxies=(ip_network("127.0.0.1"),))
    for name in ("X-Forwarded-User", "Remote-User", "X-Remote-User"):
        assert not reads(site.browser(), headers={name: "ben"})


def test_the_header_needs_a_proxy_in_the_settings() -> None:
    with pytest.raises(SettingsError, match="CDS_READER_HEADER: .*CDS_TRUSTED_PROXIES"):
        from_environment({"CDS_READER_HEADER": "X-Forwarded-User"})


@pytest.mark.parametrize("name", ["Authorization", "cookie", "HOST", "X_User", "X User", "x:", "é"])
def test_a_header_that_cannot_name_a_reader_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="CDS_READER_HEADER"):
        from_environment({"CDS_READER_HEADER": name, "CDS_TRUSTED_PROXIES": "10.0.0.1"})


# -- what the page may do, and what is kept ------------------------------------------------------


def test_only_this_page_may_send_forms(site: Site) -> None:
    page = site.browser().get("/sign-in")
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy and "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy and "script-src" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "same-origin"
    report = site.signed_in().get("/report")
    assert "form-action 'none'" in report.headers["Content-Security-Policy"]
    assert report.headers["Referrer-Policy"] == "no-referrer" and "<form" not in report.text


def test_the_audit_says_who_signed_in_who_failed_and_who_read(stored: Site) -> None:
    browser = stored.browser()
    browser.get("/report")
    sign_in(browser, "a wrong token")
    sign_in(browser, stored.token)
    browser.get("/report")
    browser.get("/report.csv")
    data = {"form": form_of(browser.get("/sign-in"))}
    browser.post("/sign-out", data=data, headers=OURS)
    stored.memory.writer.flush()
    rows = list(calls(stored.memory.store))[1:]  # the first is that of the seeds
    assert [(row.hook, row.status, row.client) for row in rows] == [
        ("sign-in", 401, None),
        ("sign-in", 303, "reader:ann"),
        ("report", 200, "reader:ann"),
        ("report", 200, "reader:ann"),
        ("sign-out", 303, "reader:ann"),
    ]
    assert "a wrong token" not in str(rows) and stored.token not in str(rows)
    events = list(audit_events(rows))
    assert '"code":"110122"' in events[0] and '"name":"not known"' in events[0]
    assert '"code":"110123"' in events[-1] and '"outcome":"0"' in events[-1]


def test_who_reads_is_not_counted_as_a_call(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/report")
    site.memory.writer.flush()
    assert browser.get("/report.json").get_json()["calls"] == 1


def test_while_the_store_is_away_nobody_reads_and_the_page_says_so(
    site: Site, cards: Knowledge
) -> None:
    settings = Settings(store_url="postgresql://postgres@127.0.0.1:1/nothing", hash_key=HASH_KEY)
    app = create_app(settings, cards, lambda: NOW)
    browser = app.test_client()
    assert browser.get("/report").status_code == 503
    response = sign_in(browser, site.token)
    assert response.status_code == 503 and "does not answer" in response.text


def test_the_clock_of_the_service_counts(site: Site) -> None:
    browser = site.signed_in()
    site.now = datetime.max.replace(tzinfo=NOW.tzinfo) - timedelta(days=2)
    assert not reads(browser)
