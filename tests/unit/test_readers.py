"""Readers: their tokens and sessions in the store, and what a proxy says of them."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import pytest
from builders import NOW
from commands import run
from sqlalchemy import select

from cds_service.readers.attempts import MOST, Attempts
from cds_service.readers.proxies import is_trusted, reader_named, visitor
from cds_service.readers.sessions import LIFE, Sessions, hash_of, new_cookie, new_token
from cds_service.store import Store, open_store, prune, tables
from cds_service.store.pseudonyms import Pseudonyms
from cds_service.store.readers import add_reader, all_readers, has_readers, revoke_reader

PROXIES = (ip_network("10.1.0.0/16"), ip_network("127.0.0.1"))


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store, Pseudonyms(b"key" * 12))


def added(store: Store, name: str = "ann") -> str:
    """The token of a new reader."""
    token = new_token()
    assert add_reader(store, name, hash_of(token), NOW)
    return token


# -- sessions ------------------------------------------------------------------------------------


def test_a_token_opens_a_session_until_the_end_of_a_working_day(
    store: Store, sessions: Sessions
) -> None:
    begun = sessions.begin(added(store), NOW)
    assert begun is not None and begun.name == "ann"
    session = sessions.of(begun.cookie, NOW)
    assert session is not None and (session.name, session.until) == ("ann", NOW + LIFE)
    assert sessions.of(begun.cookie, NOW + LIFE - timedelta(seconds=1)) is not None
    assert sessions.of(begun.cookie, NOW + LIFE) is None


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: "", hash_of])
def test_no_other_token_opens_one_not_even_the_hash_that_is_kept(
    store: Store, sessions: Sessions, change: object
) -> None:
    token = added(store)
    assert callable(change)
    assert sessions.begin(change(token), NOW) is None


def test_two_sessions_never_have_the_same_cookie_and_one_ends_alone(
    store: Store, sessions: Sessions
) -> None:
    token = added(store)
    one, two = sessions.begin(token, NOW), sessions.begin(token, NOW)
    assert one is not None and two is not None and one.cookie != two.cookie
    sessions.end(one.cookie)
    assert sessions.of(one.cookie, NOW) is None and sessions.of(two.cookie, NOW) is not None


def test_a_revoked_token_ends_its_sessions_at_once_and_opens_none(
    store: Store, sessions: Sessions
) -> None:
    token, other = added(store), added(store, "ben")
    begun, of_ben = sessions.begin(token, NOW), sessions.begin(other, NOW)
    assert begun is not None and of_ben is not None
    assert revoke_reader(store, "ann", NOW)
    assert sessions.of(begun.cookie, NOW) is None and sessions.begin(token, NOW) is None
    assert sessions.of(of_ben.cookie, NOW) is not None
    assert not revoke_reader(store, "ann", NOW)
    again = added(store)
    assert sessions.begin(again, NOW) is not None and sessions.begin(token, NOW) is None


def test_a_session_outlives_the_service(store_url: str) -> None:
    first = open_store(store_url)
    assert first is not None
    begun = Sessions(first, Pseudonyms(b"k" * 32)).begin(added(first), NOW)
    first.close()
    second = open_store(store_url)
    assert second is not None and begun is not None
    assert Sessions(second, Pseudonyms(b"k" * 32)).of(begun.cookie, NOW) is not None
    second.close()


def test_neither_a_token_nor_a_cookie_is_in_the_store(store: Store, sessions: Sessions) -> None:
    token = added(store)
    begun = sessions.begin(token, NOW)
    assert begun is not None
    with store.reading() as connection:
        kept = [
            str(connection.execute(select(table)).all())
            for table in (tables.reader, tables.reader_session)
        ]
    assert "ann" in kept[0] and not any(token in text or begun.cookie in text for text in kept)


def test_sessions_that_ended_are_pruned_and_readers_stay(store: Store, sessions: Sessions) -> None:
    token = added(store)
    sessions.begin(token, NOW)
    assert prune(store, before=NOW, now=NOW)["reader_session"] == 0
    revoke_reader(store, "ann", NOW)
    sessions.begin(added(store), NOW)
    later = NOW + 2 * LIFE
    assert prune(store, before=later, now=later)["reader_session"] == 1
    # Otherwise the report would be open again.
    assert has_readers(store) and len(all_readers(store)) == 2


def test_a_name_has_one_good_token(store: Store) -> None:
    assert not has_readers(store)
    added(store)
    assert not add_reader(store, "ann", hash_of(new_token()), NOW)


def test_a_form_token_fits_its_cookie_alone(store: Store, sessions: Sessions) -> None:
    cookie, other = new_cookie(), new_cookie()
    token = sessions.form_token(cookie)
    assert sessions.is_form_token(token, cookie)
    for text, value in ((token, other), ("", cookie), (token, ""), ("é", cookie), (cookie, cookie)):
        assert not sessions.is_form_token(text, value)
    elsewhere = Sessions(store, Pseudonyms(b"another" * 6))
    assert not elsewhere.is_form_token(token, cookie)


# -- what a proxy says ---------------------------------------------------------------------------


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1"])
def test_a_trusted_proxy_names_the_reader(peer: str) -> None:
    assert reader_named("ann@example.org", peer, PROXIES) == "ann@example.org"


@pytest.mark.parametrize("peer", ["10.2.0.1", "192.0.2.1", "::1", "", "unix:", "10.1.2.3, 1.1.1.1"])
def test_nobody_else_does(peer: str) -> None:
    assert reader_named("ann", peer, PROXIES) is None and not is_trusted(peer, PROXIES)


@pytest.mark.parametrize("header", [None, "", "  ", "mallory,ann", "ann, ann"])
def test_no_name_and_two_names_name_nobody(header: str | None) -> None:
    assert reader_named(header, "127.0.0.1", PROXIES) is None


@pytest.mark.parametrize("header", ["Ann Smith", "ann\nadmin", "CN=ann;O=<b>", "a" * 101])
def test_a_name_that_is_not_plain_is_hashed(header: str) -> None:
    name = reader_named(header, "127.0.0.1", PROXIES)
    assert name is not None and len(name) == 16 and name not in header


@pytest.mark.parametrize(
    "peer, forwarded, expected",
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.1.0.1", None, "10.1.0.1"),
        ("10.1.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.1.0.1", "invented, 198.51.100.7, 10.1.9.9", "198.51.100.7"),
        ("10.1.0.1", " , ,", "10.1.0.1"),
        # A port is no part of an address, nor what stands before a proxy that writes ports.
        ("10.1.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.1.0.1", "invented, 198.51.100.7:1, 10.1.9.9:2", "198.51.100.7"),
        # One visitor has 64 bits of addresses in IPv6.
        ("2001:db8:0:7::1", None, "2001:db8:0:7::/64"),
        ("10.1.0.1", "2001:db8:0:7:ffff::2", "2001:db8:0:7::/64"),
        ("10.1.0.1", "[2001:db8:0:7::3]", "2001:db8:0:7::/64"),
        ("10.1.0.1", "[2001:db8:0:7::3]:4711", "2001:db8:0:7::/64"),
        ("10.1.0.1", "2001:db8:0:7::3%eth0", "2001:db8:0:7::/64"),
        ("10.1.0.1", "2001:db8:0:8::3", "2001:db8:0:8::/64"),
        ("10.1.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("::ffff:10.1.0.1", "[::ffff:198.51.100.7]:4711", "198.51.100.7"),
        # What is no address counts for the peer.
        ("10.1.0.1", "x" * 9000, "10.1.0.1"),
        ("10.1.0.1", "unknown", "10.1.0.1"),
        ("10.1.0.1", "[198.51.100.7", "10.1.0.1"),
        ("10.1.0.1", "198.51.100.7:x", "10.1.0.1"),
        ("client-" + "x" * 80, None, "client-" + "x" * 57),
        ("", None, ""),
    ],
)
def test_the_visitor_is_the_last_address_that_is_no_proxy(
    peer: str, forwarded: str | None, expected: str
) -> None:
    assert visitor(peer, forwarded, PROXIES) == expected


def test_attempts_are_counted_by_address() -> None:
    attempts = Attempts()
    assert [attempts.has_room("192.0.2.1") for _ in range(MOST + 2)] == [True] * MOST + [False] * 2
    assert attempts.has_room("192.0.2.2")


# -- the command ---------------------------------------------------------------------------------


def test_the_command_shows_a_token_once_and_lists_and_revokes(store_url: str) -> None:
    def reader(*arguments: str, fails: bool = False) -> str:
        return run("reader", *arguments, fails=fails, CDS_STORE_URL=store_url).output

    assert "no readers" in reader("list")
    token = run("reader", "add", "ann", CDS_STORE_URL=store_url).stdout.strip()
    assert token.startswith("cds-reader-") and len(token) == 54
    assert "ann has a token" in reader("add", "ann", fails=True)
    listed = reader("list")
    assert "ann: added " in listed and "may read" in listed and token not in listed
    assert "can no longer read" in reader("revoke", "ann")
    assert "revoked 2" in reader("list")
    assert "ann has no token" in reader("revoke", "ann", fails=True)
    again = run("reader", "add", "ann", CDS_STORE_URL=store_url).stdout.strip()
    assert again != token


@pytest.mark.parametrize("name", ["", "-x", "ann smith", "a/b", "<b>", "a" * 65, "añn"])
def test_an_odd_name_is_refused(store_url: str, name: str) -> None:
    result = run("reader", "add", "--", name, fails=True, CDS_STORE_URL=store_url)
    assert "a name has letters" in result.output


def test_without_a_store_there_are_no_readers() -> None:
    assert "no store" in run("reader", "add", "ann", fails=True, CDS_STORE_URL="none").output
