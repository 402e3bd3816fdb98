"""Keyed hashes, and where their key comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import at_once

from cds_service.environment import from_environment
from cds_service.errors import SettingsError
from cds_service.settings import Settings
from cds_service.store.pseudonyms import Pseudonyms, pseudonyms_of

KEY = "0123456789abcdef0123456789abcdef"


def test_a_hash_depends_on_key_kind_and_id_and_on_nothing_else() -> None:
    ours, theirs = Pseudonyms(KEY.encode()), Pseudonyms(KEY[::-1].encode())
    assert ours.of("patient", "ada") == Pseudonyms(KEY.encode()).of("patient", "ada")
    hashes = {
        ours.of("patient", "ada"),
        ours.of("patient", "adb"),
        ours.of("user", "ada"),
        theirs.of("patient", "ada"),
    }
    assert len(hashes) == 4
    assert all(len(each) == 64 and "ada" not in each for each in hashes)


def test_of_several_processes_that_start_at_once_one_makes_the_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/store.sqlite3"
    hashes = at_once(
        "from cds_service.store.pseudonyms import pseudonyms_of\n"
        "from cds_service.settings import Settings",
        f"pseudonyms_of(Settings(store_url={url!r})).of('patient', 'ada')",
    )
    assert len(hashes) == 6 and len(set(hashes)) == 1
    [key] = (tmp_path / "data").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_shared_store_without_a_key_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="CDS_HASH_KEY: must be set"):
        pseudonyms_of(Settings(store_url="postgresql://postgres@127.0.0.1/any"))


def test_the_key_of_the_settings_comes_first() -> None:
    shared = Settings(store_url="postgresql://postgres@127.0.0.1/any", hash_key=KEY)
    assert pseudonyms_of(shared).of("a", "b") == Pseudonyms(KEY.encode()).of("a", "b")


def test_without_a_store_the_key_is_forgotten_with_the_process() -> None:
    first, second = (pseudonyms_of(Settings(store_url="none")) for _ in range(2))
    assert first.of("patient", "ada") != second.of("patient", "ada")


def test_neither_the_key_nor_the_address_is_shown_with_the_settings() -> None:
    settings = from_environment(
        {"CDS_HASH_KEY": KEY, "CDS_STORE_URL": "postgresql://user:secret@db/cds"}
    )
    assert settings.hash_key.get_secret_value() == KEY
    assert KEY not in repr(settings) and "secret" not in repr(settings)


@pytest.mark.parametrize(
    "variable, text",
    [
        ("CDS_HASH_KEY", "short"),
        ("CDS_STORE_URL", "mysql://db/cds"),
        ("CDS_STORE_URL", "sqlite://"),
        ("CDS_STORE_URL", "sqlite:///:memory:"),
        ("CDS_STORE_URL", "yes"),
    ],
)
def test_a_wrong_value_names_its_variable(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable}: ") as error:
        from_environment({variable: text})
    assert str(error.value).startswith(f"{variable}: expected ")
