"""The knowledge in use. A reload replaces it as a whole, without a restart."""

from __future__ import annotations

import gc
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cds_service.errors import KnowledgeError, SettingsError, StartError
from cds_service.fhir.profiles import profile_of
from cds_service.garbage import uncollected
from cds_service.knowledge import CDSService, Knowledge, load
from cds_service.knowledge.outcomes.muting import can_be_muted
from cds_service.settings import Settings
from cds_service.wire.hooks import TOKENS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reload went: `state` is "done" or "failed", `problems` counts the problems.

    The problems themselves are only logged: they may name files, which callers should not see.
    """

    state: str
    at: datetime
    problems: int = 0


class CurrentKnowledge:
    """The knowledge of a worker. A call reads `current` once and uses that to its end.

    `load` returns new knowledge or raises StartError; `clock` returns an aware time.
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
        """The knowledge for a call that starts now."""
        return self._current

    @property
    def last_reload(self) -> Reload | None:
        """The last reload; None if there was none yet."""
        return self._last

    def reload(self) -> Reload:
        """Load and check everything, then swap; with any problem, the old knowledge stays."""
        try:
            self._current = self._load()
        # Whatever is wrong with the new content, the old content still works.
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
    """Free the old knowledge, and let the garbage collector skip the new one from now on."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def knowledge_of(settings: Settings) -> Knowledge:
    """The content of the folder in the settings, with its rules switched. Raises StartError."""
    with uncollected():
        knowledge = load(settings.cards_dir, hooks=TOKENS)
    return switched(knowledge, settings)


def switched(knowledge: Knowledge, settings: Settings) -> Knowledge:
    """The knowledge with the rules of CDS_DISABLED_RULES and CDS_SHADOW_RULES muted, with the
    templates of the site and the words of its region.

    Raises SettingsError for an unknown rule, for a rule that protects and so cannot be switched
    off, for a CDS_LANGUAGE that no service has, and for a list that no service prefetches.
    """
    _check_language(knowledge, settings.language)
    _check_lists(knowledge, settings.absent_lists)
    knowledge = profile_of(settings).of_site(knowledge)
    if settings.region:
        knowledge = _in_region(knowledge, settings.region)
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


def _in_region(knowledge: Knowledge, region: str) -> Knowledge:
    """The knowledge with the words of a region, in the services that have some."""
    services = {
        service.id: _spoken_in(service, region)
        for service in knowledge.services.values()
        if region in service.regions
    }
    return replace(knowledge, services={**knowledge.services, **services})


def _spoken_in(service: CDSService, region: str) -> CDSService:
    words = {tag: words.in_region(region) for tag, words in service.words.items()}
    spoken = replace(service, words=words)
    spoken.prepare()
    return spoken


def _check_language(knowledge: Knowledge, language: str) -> None:
    languages = {tag for service in knowledge.services.values() for tag in service.languages}
    if languages and language.lower() not in {tag.lower() for tag in languages}:
        raise SettingsError(
            f"CDS_LANGUAGE: no card is written in {language}; available:"
            f" {', '.join(sorted(languages))}"
        )


def _check_lists(knowledge: Knowledge, keys: Iterable[str]) -> None:
    known = {key for service in knowledge.services.values() for key in service.prefetch}
    for key in keys:
        if known and key not in known:
            raise SettingsError(f"CDS_ABSENT_LISTS: {key} is prefetched by no service")


def _by_service(
    variable: str, names: Iterable[str], services: Iterable[CDSService]
) -> Mapping[str, frozenset[str]]:
    """The ids of the rules by service. A rule is named `service/rule`, or by its id alone if only
    one service has that id."""
    rule_ids: dict[str, frozenset[str]] = defaultdict(frozenset)
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
            raise SettingsError(
                f"{variable}: several services have a rule {name}: write {full_names}"
            )
        [(service, rule)] = rules.values()
        if not can_be_muted(service, rule):
            raise SettingsError(f"{variable}: {name} protects, and cannot be switched off")
        rule_ids[service.id] |= {rule_id}
    return rule_ids


def _muted(service: CDSService, disabled: frozenset[str], shadow: frozenset[str]) -> CDSService:
    # A disabled rule is not a shadow rule as well.
    muted = replace(service, disabled=disabled, shadow=shadow - disabled)
    muted.prepare()
    return muted
