"""New content without a restart: the knowledge that calls are answered from, swapped as a whole."""

from __future__ import annotations

import gc
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cds_service.errors import KnowledgeError, SettingsError, StartError
from cds_service.knowledge import CDSService, Knowledge, load
from cds_service.knowledge.outcomes.muting import can_be_muted
from cds_service.settings import Settings
from cds_service.wire.hooks import TOKENS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reload went: `state` is "done" or "failed", `problems` is how many there were.

    What the problems are stands in the log: they may name files, which is nothing for a caller.
    """

    state: str
    at: datetime
    problems: int = 0


class CurrentKnowledge:
    """The knowledge of a worker. A call asks for `current` once and keeps what it got.

    `load` makes the knowledge anew, or raises StartError; `clock` gives an aware time.
    """

    def __init__(
        self, knowledge: Knowledge, load: Callable[[], Knowledge], clock: Callable[[], datetime]
    ) -> None:
        self._current = knowledge
        self._load = load
        self._clock = clock
        self._last: Reload | None = None

    @property
    def current(self) -> Knowledge:
        """What a call that begins now is answered from."""
        return self._current

    @property
    def last_reload(self) -> Reload | None:
        """None as long as there was none."""
        return self._last

    def reload(self) -> Reload:
        """Load and check everything, then swap; with any problem the old knowledge stays."""
        try:
            self._current = self._load()
        # Whatever goes wrong in new content, what was served before it can still be served.
        except Exception as error:
            problems = _problems(error)
            self._last = Reload("failed", self._clock(), len(problems))
            logger.error("reload failed, the old content stays\n%s", "\n".join(problems))
        else:
            self._last = Reload("done", self._clock())
            logger.info("reloaded knowledge=%s", self._current.version)
            _keep_out_of_collections()
        return self._last


def _problems(error: Exception) -> tuple[str, ...]:
    if isinstance(error, KnowledgeError):
        return error.problems
    return (str(error),) if isinstance(error, StartError | OSError) else (type(error).__name__,)


def _keep_out_of_collections() -> None:
    """The old knowledge is let go, the new one left alone by the garbage collector from now on."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def knowledge_of(settings: Settings) -> Knowledge:
    """The content of the settings' folder, switched as they say. Raises StartError."""
    return switched(load(settings.cards_dir, hooks=TOKENS), settings)


def switched(knowledge: Knowledge, settings: Settings) -> Knowledge:
    """The knowledge with the rules of CDS_DISABLED_RULES and CDS_SHADOW_RULES muted.

    Raises SettingsError for a rule that is nowhere, or that protects and must speak; for a
    CDS_LANGUAGE that no service has; and for a list that none prefetches.
    """
    _check_language(knowledge, settings.language)
    _check_lists(knowledge, settings.absent_lists)
    if not settings.disabled_rules and not settings.shadow_rules:
        return knowledge
    services = knowledge.services.values()
    disabled = _by_service("CDS_DISABLED_RULES", settings.disabled_rules, services)
    shadow = _by_service("CDS_SHADOW_RULES", settings.shadow_rules, services)
    muted = {
        service.id: _muted(service, disabled[service.id], shadow[service.id])
        for service in services
    }
    return replace(knowledge, services=muted)


def _check_language(knowledge: Knowledge, language: str) -> None:
    languages = {tag for service in knowledge.services.values() for tag in service.languages}
    if languages and language.lower() not in {tag.lower() for tag in languages}:
        raise SettingsError(
            f"CDS_LANGUAGE: no card is written in {language}, but in {', '.join(sorted(languages))}"
        )


def _check_lists(knowledge: Knowledge, keys: Iterable[str]) -> None:
    known = {key for service in knowledge.services.values() for key in service.prefetch}
    for key in keys:
        if known and key not in known:
            raise SettingsError(f"CDS_ABSENT_LISTS: {key} is prefetched by no service")


def _by_service(
    variable: str, names: Iterable[str], services: Iterable[CDSService]
) -> Mapping[str, frozenset[str]]:
    """The ids of the rules by service. A rule is named `service/rule`; its id will do where only
    one service has it."""
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for name in names:
        of_service, _, rule_id = name.rpartition("/")
        rules = {
            service.id: (service, rule)
            for service in services
            for rule in service.rules
            if rule.id == rule_id and of_service in ("", service.id)
        }
        if not rules:
            raise SettingsError(f"{variable}: there is no rule {name}")
        if len(rules) > 1:
            full_names = " or ".join(f"{service_id}/{rule_id}" for service_id in rules)
            raise SettingsError(f"{variable}: {name} is a rule of several services: {full_names}")
        [(service, rule)] = rules.values()
        if not can_be_muted(service, rule):
            raise SettingsError(f"{variable}: {name} protects, and cannot be switched off")
        found[service.id] |= {rule_id}
    return found


def _muted(service: CDSService, disabled: frozenset[str], shadow: frozenset[str]) -> CDSService:
    # A rule that is switched off is not watched either.
    muted = replace(service, disabled=disabled, shadow=shadow - disabled)
    muted.prepare()
    return muted
