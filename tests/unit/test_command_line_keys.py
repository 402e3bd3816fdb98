"""`cds-service keys` and `cds-service token`: to try authentication in a minute."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from builders import TOY, ToyKnowledge, cds_request
from commands import run

from cds_service import create_app
from cds_service.setting_types import Issuer
from cds_service.settings import Settings

ISSUER = "https://ehr.example.org"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    printed = run("keys", "--folder", made).output
    assert f"CDS_ISSUERS='{ISSUER}={made / 'jwks.json'}'" in printed
    return made


def token(folder: Path, url: str, *options: str) -> str:
    return run("token", "--folder", folder, url, *options).output.strip()


def test_the_private_key_is_for_its_owner_alone_and_is_not_in_the_jwks(folder: Path) -> None:
    path = folder / "private-key.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (public,) = json.loads((folder / "jwks.json").read_text())["keys"]
    private = json.loads(path.read_text())
    assert "d" in private and "d" not in public
    assert public["kid"] == private["kid"]


def test_a_token_that_was_made_opens_the_door(
    folder: Path, knowledge: ToyKnowledge, tmp_path: Path
) -> None:
    settings = Settings(
        issuers=(Issuer(ISSUER, str(folder / "jwks.json")),),
        development=True,
        store_url=f"sqlite:///{tmp_path / 'store.sqlite3'}",
    )
    client = create_app(settings, knowledge).test_client()
    url = f"http://localhost{TOY}"
    headers = {"Authorization": f"Bearer {token(folder, url)}"}
    assert client.post(TOY, json=cds_request(), headers=headers).status_code == 200
    for options in (["--issuer", "somebody"], ["--seconds", "901"]):
        headers = {"Authorization": f"Bearer {token(folder, url, *options)}"}
        assert client.post(TOY, json=cds_request(), headers=headers).status_code == 401


def test_a_key_that_is_there_is_not_overwritten(folder: Path) -> None:
    before = (folder / "private-key.json").read_bytes()
    result = run("keys", "--folder", folder, fails=True)
    assert result.exit_code == 1 and "exists already" in result.output
    assert (folder / "private-key.json").read_bytes() == before


def test_without_a_key_the_command_names_the_one_that_makes_it(tmp_path: Path) -> None:
    result = run("token", "--folder", tmp_path, "http://localhost", fails=True)
    assert result.exit_code == 1 and "cds-service keys" in result.output
