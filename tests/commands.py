"""`cds-service` as its user has it, in the process of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from content import load_once

from cds_service.cli import main

_LOADING = ("current_knowledge", "cli.knowledge", "cli.new", "cli.difference", "cli.export")


def run(*arguments: str | Path, fails: bool = False, **settings: str | None) -> Result:
    """What a command printed. It ends as expected, and never with a traceback."""
    environment = {"COLUMNS": "240", "CDS_CARDS_DIR": None, **settings}
    with pytest.MonkeyPatch.context() as patch:
        for module in _LOADING:
            patch.setattr(f"cds_service.{module}.load", load_once)
        result = CliRunner().invoke(main, [str(each) for each in arguments], env=environment)
    assert isinstance(result.exception, (SystemExit, type(None))), result.exception
    assert (result.exit_code != 0) is fails, result.output
    return result
