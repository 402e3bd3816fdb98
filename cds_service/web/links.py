"""CDS Hooks "Link": from a card to the page of what it rests on, in one click.

Where a card has such a page of its own, the card itself can be short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urljoin

from flask import url_for

from cds_service.catalogue.edition import Edition
from cds_service.catalogue.labels import Labels
from cds_service.knowledge import CDSService
from cds_service.knowledge.call import Card, Link
from cds_service.settings import Settings
from cds_service.web.collaborators import collaborators, current_knowledge


def have_own_pages() -> bool:
    """Whether a card can lead to a page of its own: at a public address, and kept in a store."""
    return bool(collaborators().settings.public_url) and collaborators().memory.store is not None


def is_short(settings: Settings, issuer: str | None) -> bool:
    """Whether a client gets the short text: by its own entry, else by the one for all.

    Without an entry it does where the rest of the text is one click away.
    """
    forms = dict(entry.rpartition("=")[::2] for entry in settings.detail)
    usual = forms.get("", "short" if have_own_pages() else "full")
    return forms.get(issuer or "", usual) == "short"


def with_links(
    cards: Sequence[Card], service: CDSService, language: str, *, are_kept: bool
) -> Sequence[Card]:
    """The cards with a link each; without CDS_PUBLIC_URL with none, because links are absolute.

    Without a page of its own a card leads to its first rule, or to the service if it has no rule.
    """
    public_url = collaborators().settings.public_url
    if not public_url:
        return cards
    label = service.link_label(language)

    def linked(card: Card) -> Card:
        path = _own(card, language) if are_kept else _of_a_rule(card, service, language)
        return replace(card, links=(Link(label, urljoin(public_url, path)),))

    return [linked(card) for card in cards]


def _own(card: Card, language: str) -> str:
    return url_for("knowledge.card_page", uuid=card.uuid, lang=language)


def _of_a_rule(card: Card, service: CDSService, language: str) -> str:
    if not card.rules:
        return url_for("knowledge.service_page", service=service.id, lang=language)
    address = Edition(current_knowledge(), service, Labels(language)).address(card.rules[0])
    return url_for(
        "knowledge.item_page",
        service=service.id,
        kind=address.kind,
        id_=address.id,
        version=address.version,
        lang=language,
    )
