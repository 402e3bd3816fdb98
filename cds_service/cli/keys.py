"""`cds-service keys` and `token`: a key pair and tokens for development."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import click
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from cds_service.clients.signing import ALGORITHM, signed_token
from cds_service.clock import now

_PRIVATE, _PUBLIC = "private-key.json", "jwks.json"
_ISSUER = "https://ehr.example.org"
_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("development-keys"),
    show_default=True,
    help="Where the keys are.",
)
_issuer = click.option("--issuer", default=_ISSUER, show_default=True, help="Who signs.")


@click.command()
@_folder
@_issuer
def keys(folder: Path, issuer: str) -> None:
    """Make a key pair to try out authentication; not for production."""
    private, public = _new_pair()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _write_private(folder / _PRIVATE, private)
    except FileExistsError:
        raise click.ClickException(f"{folder / _PRIVATE} exists already") from None
    (folder / _PUBLIC).write_bytes(orjson.dumps({"keys": [public]}, option=orjson.OPT_INDENT_2))
    click.echo(f"Private key: {folder / _PRIVATE}\nPublic keys: {folder / _PUBLIC}\nServe with:")
    base = "http://127.0.0.1:8000"
    click.echo(
        f"  CDS_ISSUERS='{issuer}={folder / _PUBLIC}' CDS_PUBLIC_URL={base} cds-service serve"
    )
    click.echo("Call with:")
    url = f"{base}/cds-services"
    options = f"--folder {folder} --issuer {issuer}"
    click.echo(f'  curl -H "Authorization: Bearer $(cds-service token {options} {url})" {url}')


@click.command()
@click.argument("url")
@_folder
@_issuer
@click.option("--seconds", default=300, show_default=True, help="Lifetime of the token.")
def token(url: str, folder: Path, issuer: str, seconds: int) -> None:
    """Sign a token for one call of URL, the exact address of the call."""
    entry = private_key(folder)
    click.echo(signed_token(entry, issuer, url, now(), timedelta(seconds=seconds)))


def private_key(folder: Path) -> dict[str, str]:
    """The private JWK that `cds-service keys` made there."""
    try:
        entry: dict[str, str] = orjson.loads((folder / _PRIVATE).read_bytes())
    except FileNotFoundError:
        raise click.ClickException(
            f"there is no {folder / _PRIVATE}: `cds-service keys` makes it"
        ) from None
    return entry


def _new_pair() -> tuple[dict[str, str], dict[str, str]]:
    """A private JWK and its public part."""
    key = ec.generate_private_key(ec.SECP384R1())
    named = {"kid": str(uuid4()), "alg": ALGORITHM, "use": "sig"}
    return (
        ECAlgorithm.to_jwk(key, as_dict=True) | named,
        ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | named,
    )


def _write_private(path: Path, key: dict[str, str]) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(orjson.dumps(key))
