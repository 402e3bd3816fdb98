"""What the FHIR servers of one maker want of searches: templates that are adapted to a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from marshmallow import fields, validate

from cds_service.errors import SettingsError
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.loading.strict_schema import StrictSchema, Texts
from cds_service.knowledge.loading.strict_yaml import read_yaml
from cds_service.settings import Settings

FOLDER = Path(__file__).parent / "ehrs"
LONGEST = 2000  # characters of a template; some clients and servers refuse longer addresses


@dataclass(frozen=True, slots=True)
class Profile:
    """A file of ehrs/, and what the operator adds for this site.

    `extra` has search parameters by resource type, `extra_of_keys` by prefetch key; `without` are
    parameters that are left out, `none` resource types that the server does not have, `page_size`
    the largest `_count`.
    """

    title: str = ""
    because: str = ""
    sources: Sequence[str] = ()
    without: Sequence[str] = ()
    none: Sequence[str] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    page_size: int | None = None
    extra_of_keys: Mapping[str, str] = field(default_factory=dict)

    def adapted(self, templates: Mapping[str, str]) -> dict[str, str]:
        """The templates as the server wants them."""
        return {key: self._adapted(key, template) for key, template in templates.items()}

    def lacking(self, templates: Mapping[str, str]) -> frozenset[str]:
        """The keys of lists that the server does not have: neither published nor asked for."""
        return frozenset(key for key, text in templates.items() if _type(text) in self.none)

    def of_site(self, knowledge: Knowledge) -> Knowledge:
        """The knowledge with adapted templates.

        Raises SettingsError if CDS_FHIR_EXTRA fits no template.
        """
        self._check_extra(knowledge)
        services = {id_: self._of_site(each) for id_, each in knowledge.services.items()}
        if services == knowledge.services:
            return knowledge
        return replace(knowledge, services=services)

    def published(self, service: CDSService) -> CDSService:
        """The service as discovery shows it: without the lists that the server does not have."""
        lacking = self.lacking(service.prefetch)
        if not lacking:
            return service
        kept = {key: text for key, text in service.prefetch.items() if key not in lacking}
        return replace(service, prefetch=kept)

    def _of_site(self, service: CDSService) -> CDSService:
        templates = self.adapted(service.prefetch)
        if templates == service.prefetch:
            return service
        adapted = replace(service, prefetch=templates)
        adapted.prepare()
        return adapted

    def _adapted(self, key: str, template: str) -> str:
        place, mark, query = template.partition("?")
        if not mark:
            return template
        kept = [each for each in query.split("&") if _name(each) not in self.without]
        if self.page_size:
            kept = [_at_most(self.page_size, each) for each in kept]
        there = set(map(_name, kept))
        for extra in (self.extra.get(place), self.extra_of_keys.get(key)):
            added = [each for each in (extra or "").split("&") if each and _name(each) not in there]
            kept += added
            there |= set(map(_name, added))
        return f"{place}?{'&'.join(kept)}"

    def _check_extra(self, knowledge: Knowledge) -> None:
        templates = {
            key: text
            for each in knowledge.services.values()
            for key, text in each.prefetch.items()
            if "?" in text
        }
        for key, extra in self.extra_of_keys.items():
            if templates and key not in templates:
                raise SettingsError(f"CDS_FHIR_EXTRA: {key} is a search of no service")
            there = set(map(_name, templates.get(key, "").partition("?")[2].split("&")))
            for parameter in extra.split("&"):
                if _name(parameter) in there:
                    raise SettingsError(
                        f"CDS_FHIR_EXTRA: the template of {key} has {_name(parameter)} already"
                    )


class _ProfileSchema(StrictSchema):
    built_as = Profile
    title = fields.String(required=True)
    because = fields.String(required=True)
    sources = Texts(required=True)
    without = Texts(validate=validate.ContainsOnly(["_sort", "_count"]))
    none = Texts()
    extra = fields.Dict(keys=fields.String(), values=fields.String())
    page_size = fields.Integer(strict=True, validate=validate.Range(min=1))


def profile_of(settings: Settings) -> Profile:
    """The profile of the settings, with CDS_FHIR_EXTRA."""
    profile = Profile() if settings.fhir_profile == "none" else load_profile(settings.fhir_profile)
    return replace(profile, extra_of_keys=dict(settings.fhir_extra))


def load_profile(name: str) -> Profile:
    """A profile of the package. Raises ContentError or ValidationError if its file is wrong."""
    profile: Profile = _ProfileSchema().load(read_yaml(FOLDER / f"{name}.yaml"))
    return profile


def load_profiles() -> dict[str, Profile]:
    """Every profile of the package, by its name; raises as load_profile does."""
    return {path.stem: load_profile(path.stem) for path in sorted(FOLDER.glob("*.yaml"))}


def too_long(templates: Mapping[str, str]) -> list[str]:
    """The keys whose templates are longer than is safe."""
    return [key for key, template in templates.items() if len(template) >= LONGEST]


def _type(template: str) -> str:
    return template.partition("?")[0].partition("/")[0]


def _name(parameter: str) -> str:
    return parameter.partition("=")[0].partition(":")[0]


def _at_most(size: int, parameter: str) -> str:
    name, _, text = parameter.partition("=")
    is_larger = name == "_count" and text.isdecimal() and int(text) > size
    return f"_count={size}" if is_larger else parameter
