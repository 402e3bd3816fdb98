"""What holds for the project as a whole: floors, sizes, documentation, the wheel."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from content import texts_in
from grimp import ImportGraph

from cds_service.cli.settings import table

from .library_contract import LibraryContract

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "cds_service"
CARDS = PROJECT / "cards"
MODULES = sorted(PACKAGE.rglob("*.py"))

CLOCKS = {"now", "today", "utcnow"}
READ_THE_CLOCK = {"clock"}
MOST_LINES = 300
_MACHINE_PATH = re.compile(r"""(?:^|[\s"'`=(,])(/(?:home|root|Users|work|tmp)/\S*|[A-Z]:\\\S*)""")
_OLDEST_SETUPTOOLS = 77  # as pyproject.toml wants it


def _name(path: Path) -> str:
    """`api`, or `knowledge.facts`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_imports_point_down() -> None:
    """import-linter holds the contracts of setup.cfg."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_library_outside_of_its_room_breaks_the_contract() -> None:
    graph = ImportGraph()
    graph.add_module("cds_service")
    graph.add_module("flask", is_squashed=True)
    for importer in ("cds_service.web.pages", "cds_service.website", "cds_service.wire.hooks"):
        graph.add_import(importer=importer, imported="flask")
    contract = LibraryContract(
        "libraries", {"root_packages": ["cds_service"]}, {"rooms": ["flask: factory web"]}
    )
    check = contract.check(graph, verbose=False)
    assert not check.kept
    assert check.metadata["found"] == [
        ("cds_service.website", "flask"),
        ("cds_service.wire.hooks", "flask"),
    ]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_the_clock_is_read_at_the_edge_only(path: Path) -> None:
    asked = {
        node.attr
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("datetime", "date")
    }
    assert _name(path) in READ_THE_CLOCK or not asked & CLOCKS


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_module_is_longer_than_the_wall(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


# -- content is content --------------------------------------------------------------------------


# What codes say that nobody knows or asked is read by the record itself, not by a fact.
_SAY_NOTHING = {"no-information", "none-known"}


def _clinical_names() -> set[str]:
    """Drugs, diagnoses, findings and tests: whatever has a value set."""
    names = {path.stem for path in (CARDS / "value-sets").glob("*.json")} - _SAY_NOTHING
    assert len(names) > 50
    return names


def _words_of_code(path: Path) -> Iterator[str]:
    """Names and texts in a module, without its docstrings and comments, words with hyphens."""
    documentation = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            documentation.add(ast.get_docstring(node, clean=False))
    for node in ast.walk(_tree(path)):
        for text in vars(node).values():
            if isinstance(text, str) and text not in documentation:
                yield re.sub(r"[\s_]+", "-", text.lower())


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_drug_and_no_diagnosis_stands_in_python(path: Path) -> None:
    clinical = "|".join(map(re.escape, sorted(_clinical_names(), key=len, reverse=True)))
    pattern = re.compile(rf"(?<![a-z0-9])(?:{clinical})(?![a-z0-9])")
    found = [name for text in _words_of_code(path) for name in pattern.findall(text)]
    assert found == []


# What the layouts, the notices and the kinds of facts are called is Python's own.
_OF_PYTHON = {"before", "differential", "missing", "patient", "unchecked"}
_NUMBER_OF_CONTENT = re.compile(r"\b(?:[A-F]\.\d+|R\d{2,3})\b")
_CLINICAL_WORD = re.compile(
    r"anxi(?!ety-cds-service)|weakness|fatigue|suicid|depress", re.IGNORECASE
)


@cache
def _names_of_content() -> set[str]:
    """What a service calls its slots, its sections and its prefetch keys."""
    [path] = CARDS.glob("*/service.yaml")
    service = yaml.safe_load(path.read_text(encoding="utf-8"))
    slots = {slot["id"] for slot in service["slots"]}
    return (slots | set(service["sections"]) | set(service["prefetch"])) - _OF_PYTHON


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_python_does_not_know_what_a_service_calls_its_parts(path: Path) -> None:
    texts = {node.value for node in ast.walk(_tree(path)) if isinstance(node, ast.Constant)}
    assert sorted(_names_of_content() & {text for text in texts if isinstance(text, str)}) == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_number_of_a_rule_and_no_clinical_word_stands_in_python(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(lines, start=1)
        if _NUMBER_OF_CONTENT.search(line) or _CLINICAL_WORD.search(line)
    ]
    assert found == []


def test_cards_hold_no_program() -> None:
    kinds = {path.suffix for path in CARDS.rglob("*") if path.is_file()}
    assert kinds <= {".yaml", ".md", ".json"}


def test_every_value_set_is_read_by_a_fact() -> None:
    read: set[str] = set()
    for path in CARDS.glob("*/facts*/**/*.yaml"):
        read.update(texts_in(yaml.safe_load(path.read_text(encoding="utf-8"))))
    for path in CARDS.glob("*/facts.yaml"):
        read.update(texts_in(yaml.safe_load(path.read_text(encoding="utf-8"))))
    text = yaml.safe_load((CARDS / "record-text.yaml").read_text(encoding="utf-8"))
    read.update(texts_in(text["understood"]))
    assert sorted(_clinical_names() - read) == []


# -- documentation -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "NOTICE"]
)
def test_what_a_reader_looks_for_is_there(name: str) -> None:
    assert (PROJECT / name).read_text(encoding="utf-8").strip()


def test_the_settings_stand_in_the_reference_as_their_model_has_them() -> None:
    assert table() in (PROJECT / "docs/reference/settings.md").read_text(encoding="utf-8")


def test_the_readme_is_short() -> None:
    words = (PROJECT / "README.md").read_text(encoding="utf-8").split()
    assert len(words) <= 900


def test_every_test_that_the_threat_model_names_exists() -> None:
    text = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (PROJECT / path).is_file() or f"def {name}(" not in (PROJECT / path).read_text()
    ]
    assert len(named) > 30 and missing == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = [
        f"{path.relative_to(PROJECT)}:{number}: {match[1]}"
        for path in _files_of_the_project()
        for number, line in enumerate(_lines(path), start=1)
        for match in [_MACHINE_PATH.search(line)]
        if match
    ]
    assert found == []


def _files_of_the_project() -> list[Path]:
    """What git knows, or would know after an `add`."""
    if shutil.which("git") is None or not (PROJECT / ".git").exists():
        pytest.skip("this is no git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = [PROJECT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def _lines(path: Path) -> list[str]:
    content = path.read_bytes()
    return [] if b"\0" in content else content.decode("utf-8").splitlines()


# -- the wheel -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that is built from a copy, with the setuptools that is installed."""
    try:
        installed = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        installed = "0"
    if int(installed.partition(".")[0]) < _OLDEST_SETUPTOOLS:
        pytest.skip(f"to build a wheel takes setuptools {_OLDEST_SETUPTOOLS}, not {installed}")
    copy = tmp_path_factory.mktemp("wheel")
    for name in ("cds_service", "cards", "fixtures"):
        shutil.copytree(
            PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(PROJECT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation"]
    built = subprocess.run(
        [*command, "--no-index", "--wheel-dir", "out"], cwd=copy, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [path] = (copy / "out").glob("*.whl")
    return set(zipfile.ZipFile(path).namelist())


def test_the_wheel_holds_every_card_and_every_module(wheel: set[str]) -> None:
    cards = {
        f"cds_service/cards/{path.relative_to(CARDS).as_posix()}"
        for path in CARDS.rglob("*")
        if path.is_file()
    }
    profiles = PACKAGE.glob("fhir/ehrs/*.yaml")
    modules = {
        f"cds_service/{path.relative_to(PACKAGE).as_posix()}" for path in (*MODULES, *profiles)
    }
    assert sorted((cards | modules | {"cds_service/py.typed"}) - wheel) == []


def test_the_wheel_holds_every_invented_person_and_no_golden_answer(wheel: set[str]) -> None:
    people = PROJECT / "fixtures"
    files = {path.name for path in people.glob("patients/*.json")}
    assert len(files) > 60
    assert {f"cds_service/people/patients/{name}" for name in files} <= wheel
    assert "cds_service/people/README.md" in wheel
    assert "cds_service/playground/words.yaml" in wheel
    assert not any("/requests/" in name or "/responses/" in name for name in wheel)


def test_the_wheel_holds_what_pages_are_made_of(wheel: set[str]) -> None:
    web = PACKAGE / "web"
    files = [*PACKAGE.glob("*/templates/*"), *web.glob("static/*")]
    assert len(files) > 4
    assert {f"cds_service/{path.relative_to(PACKAGE).as_posix()}" for path in files} <= wheel


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel}
    assert [top for top in tops if not top.endswith(".dist-info")] == ["cds_service"]
    assert any(name.endswith("/licenses/LICENSE") for name in wheel)
    assert any(name.endswith("/licenses/NOTICE") for name in wheel)
