"""What an operator switches, as a CDS Client sees it: shadow mode, muted rules, reloads."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from builders import NOW, TOY, ToyKnowledge, ToyService, cds_request
from flask import Flask
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.current_knowledge import CurrentKnowledge
from cds_service.errors import KnowledgeError
from cds_service.knowledge import Knowledge
from cds_service.knowledge.call import Answer, Call
from cds_service.settings import Settings
from cds_service.web.collaborators import EXTENSION


def _reloadable(app: Flask, *versions: ToyKnowledge | KnowledgeError) -> CurrentKnowledge:
    """The application's knowledge, which a reload replaces by each of the versions in turn."""
    coming = iter(versions)

    def load() -> Knowledge:
        version = next(coming)
        if isinstance(version, KnowledgeError):
            raise version
        return version

    here = app.extensions[EXTENSION]
    knowledge = CurrentKnowledge(here.knowledge.current, load, lambda: NOW)
    app.extensions[EXTENSION] = replace(here, knowledge=knowledge)
    return knowledge


def test_shadow_mode_evaluates_and_answers_with_nothing(
    toy: ToyService, knowledge: ToyKnowledge, caplog: pytest.LogCaptureFixture
) -> None:
    client = create_app(Settings(mode="shadow"), knowledge, lambda: NOW).test_client()
    with caplog.at_level(logging.INFO):
        response = client.post(TOY, json=cds_request())
    assert (response.status_code, response.get_json()["cards"]) == (200, [])
    assert len(toy.calls) == 1
    line = caplog.records[-1].msg
    assert (line["cards"], line["shadow"], line["applied"]) == (0, 1, ["R1"])


def test_readiness_tells_how_the_last_reload_went(app: Flask, knowledge: ToyKnowledge) -> None:
    client = app.test_client()
    current = _reloadable(app, KnowledgeError(["one is wrong", "two is wrong"]), knowledge)
    current.reload()
    response = client.get("/health/ready")
    failed = {"state": "failed", "at": "2026-11-22T09:30:00+00:00", "problems": 2}
    assert (response.status_code, response.get_json()["reload"]) == (200, failed)
    assert "wrong" not in response.text
    current.reload()
    done = {"state": "done", "at": "2026-11-22T09:30:00+00:00"}
    assert client.get("/health/ready").get_json()["reload"] == done


def test_a_call_ends_on_the_knowledge_that_it_began_with(app: Flask, toy: ToyService) -> None:
    def reload_meanwhile(call: Call) -> Answer:
        current.reload()
        return Answer(cards=(), applied=(), unknown=(), missing=())

    current = _reloadable(app, ToyKnowledge({"toy": toy}, "toy-2"))
    toy.answered_by = reload_meanwhile
    client = app.test_client()
    response = client.post(TOY, json=cds_request())
    assert response.headers["Knowledge-Version"] == "toy-1"
    assert client.get("/cds-services").headers["Knowledge-Version"] == "toy-2"


def test_after_a_broken_reload_calls_are_answered_as_before(app: Flask) -> None:
    client: FlaskClient = app.test_client()
    _reloadable(app, KnowledgeError(["one"])).reload()
    response = client.post(TOY, json=cds_request())
    assert response.headers["Knowledge-Version"] == "toy-1"
    assert len(response.get_json()["cards"]) == 1
