"""The keys of CDS Clients: where they come from, how long they serve, what they may not cost."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from builders import NOW
from listeners import Listener
from tokens import jwks, public_jwk

from cds_service.clients import keys
from cds_service.clients.keys import FRESH, PAUSE, STALE, KeySet, key_set

SECOND = timedelta(seconds=1)


class Source:
    """A JWK Set that can be changed or taken away; it counts how often it was read."""

    def __init__(self, body: bytes | None) -> None:
        self.body = body
        self.times_read = 0

    def __call__(self) -> bytes:
        self.times_read += 1
        if self.body is None:
            raise ConnectionError("away")
        return self.body


@pytest.fixture
def source() -> Source:
    return Source(jwks("ES384"))


@pytest.fixture
def found(source: Source) -> KeySet:
    return KeySet("test", source)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(body=jwks("ES384")) as opened:
        yield opened


def test_a_known_key_is_read_once(found: KeySet, source: Source) -> None:
    for _ in range(3):
        assert found.key("ES384", "ES384", NOW)
    assert source.times_read == 1


def test_a_key_that_is_new_is_found_by_reading_again(found: KeySet, source: Source) -> None:
    assert found.key("ES384", "ES384", NOW)
    source.body = jwks("ES256")
    assert found.key("ES256", "ES256", NOW + PAUSE)
    assert found.key("ES384", "ES384", NOW + PAUSE) is None


def test_made_up_key_ids_cause_one_reading_in_a_pause(found: KeySet, source: Source) -> None:
    assert found.key("ES384", "ES384", NOW)
    for number in range(50):
        assert found.key(f"made-up-{number}", "ES384", NOW + PAUSE) is None
    assert source.times_read == 2


def test_a_key_that_was_taken_back_is_not_accepted_for_long(found: KeySet, source: Source) -> None:
    assert found.key("ES384", "ES384", NOW)
    source.body = jwks("ES256")
    assert found.key("ES384", "ES384", NOW + FRESH - SECOND)
    assert found.key("ES384", "ES384", NOW + FRESH) is None


def test_the_last_keys_serve_while_their_server_is_away_and_not_for_ever(
    found: KeySet, source: Source
) -> None:
    assert found.key("ES384", "ES384", NOW)
    source.body = None
    assert found.key("ES384", "ES384", NOW + STALE - SECOND)
    assert found.is_ready(NOW + STALE - SECOND)
    assert found.key("ES384", "ES384", NOW + STALE) is None
    assert not found.is_ready(NOW + STALE)


def test_a_server_that_is_away_is_asked_once_in_a_pause(
    source: Source, found: KeySet, caplog: pytest.LogCaptureFixture
) -> None:
    source.body = None
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            assert found.key("ES384", "ES384", NOW) is None
            assert not found.is_ready(NOW)
    assert source.times_read == 1
    source.body = jwks("ES384")
    assert found.is_ready(NOW + PAUSE)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'{"keys": {}}', b'{"keys": "x"}', b"\xff", b"[" * 60_000],
)
def test_what_is_no_jwk_set_gives_no_key(body: bytes) -> None:
    found = KeySet("test", Source(body))
    assert found.key("ES384", "ES384", NOW) is None
    assert not found.is_ready(NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": 7},
        {"kty": "RSA"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"crv": "P-256"},
        {"x": "AAAA"},
        {"x": 7},
        {"alg": "ES256"},
        {"use": "enc"},
    ],
    ids=str,
)
def test_an_entry_that_does_not_fit_is_no_key(changes: dict[str, object]) -> None:
    entry = public_jwk("ES384", "ES384") | changes
    found = KeySet("test", Source(json.dumps({"keys": [None, 1, entry]}).encode()))
    assert found.key("ES384", "ES384", NOW) is None


def test_an_id_that_stands_twice_names_no_key() -> None:
    entries = [public_jwk("ES384", "a"), public_jwk("ES256", "a"), public_jwk("ES256", "b")]
    found = KeySet("test", Source(json.dumps({"keys": entries}).encode()))
    assert found.key("a", "ES384", NOW) is None
    assert found.key("b", "ES256", NOW)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    assert not key_set(str(path)).is_ready(NOW)
    path.write_bytes(jwks("ES384"))
    assert key_set(str(path)).key("ES384", "ES384", NOW)
    path.write_bytes(b" " * (keys.MOST_BYTES + 1))
    assert not key_set(str(path)).is_ready(NOW)


def test_an_address_is_read_without_a_proxy_or_a_password_of_the_machine(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert key_set(listener.address + "/jwks.json").key("ES384", "ES384", NOW)
    assert listener.paths == ["/jwks.json"]


@pytest.mark.parametrize("status", [204, 301, 302, 307, 401, 404, 500])
def test_only_200_is_an_answer_and_no_redirect_is_followed(listener: Listener, status: int) -> None:
    listener.status = status
    listener.headers = {"Location": listener.address + "/elsewhere"}
    assert not key_set(listener.address).is_ready(NOW)
    assert listener.paths == ["/"]


def test_an_endless_document_is_cut_off(listener: Listener) -> None:
    listener.body = b" " * (20 * keys.MOST_BYTES)
    assert not key_set(listener.address).is_ready(NOW)


def test_a_document_that_drips_is_given_up(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_SECONDS", 0.3)
    listener.seconds_a_byte = 0.05
    listener.body = b" " * 1000
    assert not key_set(listener.address).is_ready(NOW)
    assert (listener.paths, listener.answered) == (["/"], 0)  # it drips for fifty seconds


def test_nobody_listening_is_no_key() -> None:
    assert not key_set("http://127.0.0.1:9/jwks.json").is_ready(NOW)
