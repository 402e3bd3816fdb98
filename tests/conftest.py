"""The fixtures of every test: the application around a toy service, and around the real one."""

from __future__ import annotations

import gc
import importlib.util
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

import pytest
from builders import NOW, ToyKnowledge, ToyService, toy_knowledge
from cards.conversations import HASH_KEY
from content import CARDS, load_once
from databases import (
    database_with_schema,
    drop_databases,
    new_database,
    sqlite_with_schema,
)
from fhir_server import FHIRServer
from fhir_server import fhir_server as start_fhir_server
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from shared import NOT_SHARED
from werkzeug.routing import Rule

from cds_service import create_app
from cds_service.knowledge import CDSService, Knowledge
from cds_service.settings import Settings
from cds_service.store import Store, open_store
from cds_service.wire.hooks import TOKENS

# The same examples on every machine: a failure is the change's, not the draw's. CI has fewer of
# them, and `--hypothesis-profile=search` looks for faults where nobody has looked yet.
settings.register_profile("default", derandomize=True, database=None, deadline=None)
settings.register_profile("ci", settings.get_profile("default"), max_examples=50)
settings.register_profile(
    "search", settings.get_profile("default"), derandomize=False, max_examples=2000, print_blob=True
)
settings.load_profile("default")


class _CompiledOnce(BytecodeCache):
    """Templates that were compiled: each test has an application of its own, with the same ones."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


class _RuleOnce(Rule):
    """A route whose code was compiled: most of the time that an application takes to be made."""

    _codes: ClassVar[dict[object, Any]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        """What builds its addresses: with no defaults, one and the same for the same path."""
        if self.defaults:
            return super()._compile_builder(append_unknown)
        key = (*self._trace, append_unknown)
        if key not in self._codes:
            self._codes[key] = super()._compile_builder(append_unknown)
        return self._codes[key]


Flask.jinja_options = {"bytecode_cache": _CompiledOnce()}
Flask.url_rule_class = _RuleOnce


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nothing-skipped", action="store_true", help="a skipped test is a failure")


def pytest_collection_finish() -> None:
    """What all tests have in common stays until the end; the collector need not look at it again.

    It looks less often, too: a test process holds much, and nearly all of it is needed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _skipped(config: pytest.Config) -> Counter[str]:
    """Why tests were skipped, and how many for each reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter is not None else []
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was not tested, a line for each reason."""
    for reason, tests in sorted(_skipped(config).items()):
        terminalreporter.write_line(f"NOT TESTED ({tests}): {reason}", yellow=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where nothing may be skipped; the real records are not everybody's to have."""
    if session.config.getoption("nothing_skipped") and _skipped(session.config).keys() - {
        NOT_SHARED
    }:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _no_traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a service keeps by default is in a folder of this session; its databases go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield
    drop_databases()


@pytest.fixture
def toy() -> ToyService:
    return ToyService()


@pytest.fixture
def knowledge(toy: ToyService) -> ToyKnowledge:
    return toy_knowledge(toy)


@pytest.fixture
def app(knowledge: ToyKnowledge) -> Flask:
    return create_app(Settings(store_url="none"), knowledge, clock=lambda: NOW)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def cards_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own content, and beside it the small services of tests/toy_cards."""
    folder = tmp_path_factory.mktemp("content") / "cards"
    value_sets = folder / "value-sets"
    value_sets.mkdir(parents=True)
    for content in (CARDS, Path(__file__).parent / "toy_cards"):
        for path in content.iterdir():
            if path.name != value_sets.name:
                (folder / path.name).symlink_to(path)
        for path in (content / value_sets.name).iterdir():
            (value_sets / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def cards(cards_dir: Path) -> Knowledge:
    """The project's own knowledge, with the small services beside it."""
    return load_once(cards_dir, hooks=TOKENS)


@pytest.fixture(scope="session")
def service(cards: Knowledge) -> CDSService:
    return cards.services["anxiety-leg-weakness"]


@pytest.fixture(scope="session")
def ehr(cards: Knowledge) -> FlaskClient:
    """A CDS Client of the real service on the day of the fixture people."""
    today = datetime(2026, 11, 22, 12, tzinfo=UTC)
    settings = Settings(store_url="none", hash_key=HASH_KEY)
    return create_app(settings, cards, clock=lambda: today).test_client()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of our own, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'store.sqlite3'}"
    else:
        with new_database() as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of our own with our schema and no rows, once of each kind."""
    if request.param == "sqlite":
        yield sqlite_with_schema(tmp_path / "data" / "store.sqlite3")
    else:
        with database_with_schema() as url:
            yield url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    assert opened is not None
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def fhir_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FHIRServer]:
    """A FHIR R4 server with the fixture people; it asks for a token."""
    if importlib.util.find_spec("sekmet") is None:
        pytest.skip("FHIR server: sekmet-fhir is not installed; it comes with the extra `test`")
    with start_fhir_server(tmp_path_factory.mktemp("fhir")) as server:
        yield server
