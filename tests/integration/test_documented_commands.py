"""What the documents show can be done: every command exists, and those that only read are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cds_service.cli import main

PROJECT = Path(__file__).parents[2]
DOCUMENTS = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    PROJECT / "cards" / "README.md",
    *sorted((PROJECT / "docs").glob("*.md")),
    *sorted((PROJECT / "docs" / "guides").glob("*.md")),
    *sorted((PROJECT / "docs" / "reference").glob("*.md")),
    *sorted((PROJECT / "docs" / "clients").glob("*.md")),
]
_SHOWN = re.compile(r"cds-service ((?:[a-z][^\s`]*)(?:[ \t]+[^`\n]*)?)")
# Those of them that need nothing but the checkout.
_READING = ("cards fixtures", "settings", "check", "demo", "--help")


def _shown() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for part in re.findall(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", document.read_text(), re.S):
            code = "".join(part)
            for match in _SHOWN.finditer(code):
                yield document, re.split(r"\s+#|[|;&)]", match[1])[0].strip()


COMMANDS = sorted({(path.relative_to(PROJECT).as_posix(), text) for path, text in _shown()})


@pytest.mark.parametrize(("document", "shown"), COMMANDS)
def test_a_command_in_the_documents_exists_with_its_options(document: str, shown: str) -> None:
    words = shlex.split(shown.replace("…", "x"))
    command: click.Command = main
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"{document}: there is no command {shown}"
        command, words = found, words[1:]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= known, f"{document}: {shown}"


def test_the_documents_show_commands() -> None:
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(
    "shown", sorted({text for _, text in COMMANDS if text.startswith(_READING)})
)
def test_a_command_that_only_reads_runs_as_it_is_shown(shown: str, tmp_path: Path) -> None:
    if {"--write", "--post", "--load", "--watch"} & set(shlex.split(shown)) or "FILE" in shown:
        # Changes something, never ends, or has a name for the reader to fill in.
        shown = f"{shown.split()[0]} --help"
    ran = subprocess.run(
        [sys.executable, "-c", "from cds_service.cli import main; main()", *shlex.split(shown)],
        cwd=PROJECT,
        env=os.environ | {"CDS_STORE_URL": f"sqlite:///{tmp_path}/store.sqlite3"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


@pytest.mark.parametrize("command", sorted(main.list_commands(click.Context(main))))
def test_every_command_has_its_row_in_the_reference(command: str) -> None:
    reference = (PROJECT / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert re.search(rf"^\|[^|]*`{command}\b", reference, re.M)


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: path.relative_to(PROJECT).as_posix()
)
def test_every_link_to_a_file_of_ours_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    ours = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in ours if not (document.parent / link).exists()] == []
