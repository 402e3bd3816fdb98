"""The pages of the knowledge over HTTP, and the links that lead from cards to them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from builders import NOW
from cards.conversations import FIXTURES
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.catalogue.documents import edition_of, editions_of
from cds_service.catalogue.labels import LANGUAGES
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings

SERVICE = "anxiety-leg-weakness"
RULE = f"/knowledge/{SERVICE}/rules/R51"
PUBLIC = "https://cds.example.org/deep/prefix"
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
UNKNOWN = "b0000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def reader(cards: Knowledge) -> FlaskClient:
    """Somebody who has no token, at a service that asks its clients for one."""
    return create_app(Settings(store_url="none"), cards, lambda: NOW).test_client()


@pytest.fixture(scope="module")
def ehr_with_links(cards: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of a service below a path prefix, with a store."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.sqlite3'}"
    settings = Settings(store_url=url, public_url=PUBLIC)
    return create_app(settings, cards, lambda: NOW).test_client()


def _links(text: str) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"#]*)"', text)]


def _call(client: FlaskClient, path: Path, language: str = "en") -> list[dict[str, Any]]:
    response = client.post(
        f"/cds-services/{SERVICE}",
        data=path.read_bytes(),
        content_type="application/json",
        headers={"Accept-Language": language},
    )
    cards: list[dict[str, Any]] = response.get_json().get("cards", [])
    return cards


# -- pages ---------------------------------------------------------------------------------------


def test_every_link_of_the_contents_and_of_the_lists_leads_to_a_page(reader: FlaskClient) -> None:
    seen: set[str] = set()
    for page in ("/knowledge", "/knowledge/sources", f"/knowledge/{SERVICE}/source-attributes"):
        for link in _links(reader.get(page).text):
            if link not in seen and not link.startswith(("/report", "/cds-services")):
                seen.add(link)
                assert reader.get(link).status_code == 200, link
    assert len(seen) > 300


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_in_the_language_that_is_asked_for(reader: FlaskClient, language: str) -> None:
    version = "/1.1.0"
    chosen = reader.get(f"{RULE}{version}?lang={language}")
    asked = reader.get(RULE + version, headers={"Accept-Language": language})
    for response in (chosen, asked):
        assert f'<html lang="{language}">' in response.text
        assert response.headers["Content-Language"] == language
    inner = [link for link in _links(chosen.text) if link.startswith("/knowledge/anxiety")]
    assert all("lang=" in link for link in inner)
    assert not any("lang=" in link for link in _links(asked.text) if "rules/R5" not in link)


def test_an_address_without_a_version_leads_to_the_one_in_force(reader: FlaskClient) -> None:
    response = reader.get(RULE + "?lang=es")
    assert response.status_code == 302
    assert response.headers["Location"] == f"{RULE}/1.1.0?lang=es"
    value_set = reader.get("/knowledge/value-sets/potassium")
    assert value_set.headers["Location"] == "/knowledge/value-sets/potassium/1.0.0"


def test_a_version_that_is_not_loaded_is_said_in_a_sentence(reader: FlaskClient) -> None:
    response = reader.get(RULE + "/0.9.0")
    assert response.status_code == 404 and response.mimetype == "text/html"
    assert "Version 0.9.0 of R51 is not loaded here. The version in force is 1.1.0." in (
        response.text
    )
    assert f'href="{RULE}/1.1.0"' in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/knowledge/nothing",
        f"/knowledge/{SERVICE}/rules/R999",
        f"/knowledge/{SERVICE}/causes/R51",
        f"/knowledge/{SERVICE}/shoes/R51",
        "/knowledge/nothing/rules/R51",
        "/knowledge/value-sets/nothing",
        "/knowledge/value-sets/nothing/1.0.0",
        "/knowledge/sources/nothing",
        f"/knowledge/{SERVICE}/rules/%3Cscript%3E/1",
        f"/knowledge/{SERVICE}/rules/R51/%3Cscript%3E",
        f"/knowledge/{SERVICE}/rules/" + "R" * 3000,
        "/cards/" + UNKNOWN,
        "/cards/not-a-uuid",
        "/cards/%00",
    ],
)
def test_where_nothing_is_a_page_says_so(reader: FlaskClient, path: str) -> None:
    response = reader.get(path)
    assert response.status_code == 404 and response.mimetype == "text/html"
    assert "<h1>Nothing here</h1>" in response.text and "<script" not in response.text


@pytest.mark.parametrize("path", ["/knowledge", RULE + "/1.1.0", "/cards/" + UNKNOWN])
def test_pages_of_the_knowledge_run_nothing_and_are_framed_by_nobody(
    reader: FlaskClient, path: str
) -> None:
    response = reader.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "script-src" not in policy and "unsafe" not in policy
    assert "form-action 'self'" in policy
    assert "<script" not in response.text and "style=" not in response.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Accept-Language" in response.headers["Vary"]


def test_pages_need_no_login_and_no_token(cards: Knowledge, tmp_path: Path) -> None:
    jwks = tmp_path / "jwks.json"
    jwks.write_text('{"keys": []}')
    settings = Settings(
        store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
        issuers=(f"https://ehr.example.org={jwks}",),
        public_url=PUBLIC,
    )
    client = create_app(settings, cards, lambda: NOW).test_client()
    assert client.get("/knowledge").status_code == 200
    assert client.get("/cards/" + UNKNOWN).status_code == 404
    assert client.get("/cds-services").status_code == 401


def test_a_search_is_answered_without_a_script(reader: FlaskClient) -> None:
    text = reader.get("/knowledge?q=benzodiazepine+opioid").text
    assert f'href="{RULE}/1.1.0"' in text
    assert 'value="benzodiazepine opioid"' in text


@pytest.mark.parametrize(
    "wanted",
    ['"><script>alert(1)</script>', "%00", "x" * 5000, "{{ 7 * 7 }}", "\u202e", "' or 1=1 --"],
)
def test_a_hostile_search_stays_text(reader: FlaskClient, wanted: str) -> None:
    response = reader.get("/knowledge", query_string={"q": wanted})
    assert response.status_code == 200
    assert "<script" not in response.text and "49" not in response.text.partition("<form")[2][:300]


def test_an_unknown_language_is_the_usual_one(reader: FlaskClient) -> None:
    text = reader.get("/knowledge?lang=%3Cx%3E").text
    assert '<html lang="en">' in text and "lang=%3Cx" not in text


# -- cards ---------------------------------------------------------------------------------------


def _sources(cards: Knowledge, card: dict[str, Any], language: str) -> Iterable[str]:
    """The sources of every rule that the last line of a card names."""
    edition = edition_of(editions_of(cards, language), SERVICE)
    named = card["detail"].rsplit("·", 1)[-1].split() if "·" in card["detail"] else []
    for id_ in named:
        for key in edition.service.governed[id_].sources:
            yield edition.service.sources[key].label


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_every_link_on_every_golden_card_shows_the_sources_of_its_rules(
    ehr_with_links: FlaskClient, cards: Knowledge, path: Path
) -> None:
    for card in _call(ehr_with_links, path):
        [link] = card["links"]
        assert link["type"] == "absolute" and link["url"].startswith(PUBLIC + "/")
        ehr_with_links.application.extensions["cds_service"].memory.writer.flush()
        parts = urlsplit(link["url"])
        response = ehr_with_links.get(f"{parts.path}?{parts.query}")
        assert response.status_code == 200
        for label in _sources(cards, card, "en"):
            assert label.replace("&", "&amp;").replace("'", "&#39;") in response.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_a_card_has_the_full_words_and_nothing_of_the_patient(
    ehr_with_links: FlaskClient, language: str
) -> None:
    path = FIXTURES / "requests" / "harold-lorazepam-oxycodone.json"
    for card in _call(ehr_with_links, path, language):
        ehr_with_links.application.extensions["cds_service"].memory.writer.flush()
        parts = urlsplit(card["links"][0]["url"])
        assert parts.query == f"lang={language}"
        response = ehr_with_links.get(parts.path + "?" + parts.query)
        assert f'<html lang="{language}">' in response.text
        assert response.headers["Cache-Control"] == "no-store"
        for value in ("Harold", "oxycodone", "Oxycodone", "2026-1", "harold"):
            assert value not in response.text.partition("<article>")[2].replace("2026-11-2", "")


def test_while_the_store_is_away_the_page_of_a_card_says_so(cards: Knowledge) -> None:
    settings = Settings(
        store_url="postgresql://postgres@127.0.0.1:1/nothing",
        hash_key="a key of at least thirty-two characters",
        public_url=PUBLIC,
    )
    client = create_app(settings, cards, lambda: NOW).test_client()
    response = client.get("/cards/" + UNKNOWN)
    assert response.status_code == 503 and response.mimetype == "text/html"
    assert "The store does not answer" in response.text
    assert response.headers["Retry-After"] == "5"
    assert client.get("/knowledge").status_code == 200


def test_below_a_path_prefix_every_link_of_a_page_has_it(ehr_with_links: FlaskClient) -> None:
    for path in ("/knowledge", RULE + "/1.1.0", "/knowledge?q=potassium"):
        response = ehr_with_links.get("/deep/prefix" + path)
        assert response.status_code == 200
        assert all(link.startswith("/deep/prefix/") for link in _links(response.text))
    moved = ehr_with_links.get("/deep/prefix" + RULE)
    assert moved.headers["Location"] == f"/deep/prefix{RULE}/1.1.0"


def test_without_a_public_address_a_card_has_no_link_and_the_full_text(
    cards: Knowledge, tmp_path: Path
) -> None:
    path = FIXTURES / "requests" / "ada-generalised-anxiety.json"
    store_url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    here = create_app(Settings(store_url=store_url), cards, lambda: NOW).test_client()
    [card] = _call(here, path)
    assert "links" not in card and len(card["detail"].split()) > 300


def test_the_short_text_is_the_usual_one_where_a_page_has_the_rest(
    ehr_with_links: FlaskClient, cards: Knowledge, tmp_path: Path
) -> None:
    path = FIXTURES / "requests" / "ada-generalised-anxiety.json"
    [short] = _call(ehr_with_links, path)
    assert len(short["detail"].split()) < 230
    store_url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    for settings in (
        Settings(store_url=store_url, public_url=PUBLIC, detail=("full",)),
        Settings(store_url="none", public_url=PUBLIC),
    ):
        [full] = _call(create_app(settings, cards, lambda: NOW).test_client(), path)
        assert len(full["detail"].split()) > 300


def test_without_a_store_a_card_leads_to_its_first_rule(cards: Knowledge) -> None:
    settings = Settings(store_url="none", public_url=PUBLIC)
    client = create_app(settings, cards, lambda: NOW).test_client()
    [card, *_] = _call(client, FIXTURES / "requests" / "barbara-cauda-equina.json")
    [link] = card["links"]
    assert link["url"] == f"{PUBLIC}/knowledge/{SERVICE}/rules/R20/1.0.0?lang=en"
    assert client.get(urlsplit(link["url"]).path).status_code == 200


def test_a_card_that_nothing_could_be_checked_leads_to_the_service(cards: Knowledge) -> None:
    settings = Settings(store_url="none", public_url=PUBLIC, unavailable="card")
    client = create_app(settings, cards, lambda: NOW).test_client()
    path = FIXTURES / "requests" / "ada-generalised-anxiety--conditions-missing.json"
    [card] = _call(client, path)
    [link] = card["links"]
    assert link["url"] == f"{PUBLIC}/knowledge/{SERVICE}?lang=en"
