"""CDS Hooks, chapter "Feedback"."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from builders import TOY, assert_outcome, feedback
from flask.testing import FlaskClient
from shared import SHARED, needs_shared

RECORDINGS = SHARED / "recordings" / "sandbox"
ADDRESS = f"{TOY}/feedback"
ACCEPTED = feedback(outcome="accepted", acceptedSuggestions=[{"id": "b12"}])
REASON = {"code": "seen", "system": "https://codes.example.org", "display": "Seen"}


@pytest.mark.parametrize(
    "entries",
    [
        [feedback()],
        [ACCEPTED],
        [feedback(outcome="accepted", acceptedSuggestions=[{"id": "a"}, {"id": "b"}])],
        [feedback(overrideReason={"reason": REASON})],
        [feedback(overrideReason={"reason": REASON, "userComment": "he knows"})],
        [feedback(overrideReason={"userComment": "he knows"})],
        [feedback(overrideReason={"reason": {"code": "seen"}})],
        [feedback(), ACCEPTED, feedback()],
        [feedback(outcomeTimestamp="2026-11-22T09:30:00Z")],
        [feedback(outcomeTimestamp="2026-11-22T10:30:00.123456+01:00")],
        [feedback(extension={"org.example": 1}, unheardOf=None)],
        [feedback(acceptedSuggestions=None, overrideReason=None)],
    ],
)
def test_f_1_f_2_every_valid_form_is_taken(client: FlaskClient, entries: list[Any]) -> None:
    response = client.post(ADDRESS, json={"feedback": entries})
    assert (response.status_code, response.data) == (204, b"")


def test_f_3_an_unknown_card_and_no_entry_at_all_are_taken(client: FlaskClient) -> None:
    assert client.post(ADDRESS, json={"feedback": []}).status_code == 204
    assert client.post(ADDRESS, json={"feedback": [feedback(card="?")]}).status_code == 204


@pytest.mark.parametrize(
    "body, expression",
    [
        ({}, "feedback"),
        ({"feedback": None}, "feedback"),
        ({"feedback": {}}, "feedback"),
        ({"feedback": "overridden"}, "feedback"),
        (feedback(), "feedback"),
        ({"feedback": [None]}, "feedback[0]"),
        ({"feedback": ["overridden"]}, "feedback[0]"),
        ({"feedback": [feedback(), [feedback()]]}, "feedback[1]"),
    ],
)
def test_f_4_structural_nonsense_is_400(client: FlaskClient, body: Any, expression: str) -> None:
    assert_outcome(client.post(ADDRESS, json=body), 400, expression)


@pytest.mark.parametrize(
    "members, expression",
    [
        ({"card": ...}, "feedback[0].card"),
        ({"card": 7}, "feedback[0].card"),
        ({"outcome": ...}, "feedback[0].outcome"),
        ({"outcome": "ignored"}, "feedback[0].outcome"),
        ({"outcome": ["accepted"]}, "feedback[0].outcome"),
        ({"outcomeTimestamp": ...}, "feedback[0].outcomeTimestamp"),
        ({"outcomeTimestamp": "yesterday"}, "feedback[0].outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-11-22T09:30:00"}, "feedback[0].outcomeTimestamp"),
        ({"outcomeTimestamp": 1795382400}, "feedback[0].outcomeTimestamp"),
        ({"outcome": "accepted"}, "feedback[0].acceptedSuggestions"),
        ({"outcome": "accepted", "acceptedSuggestions": []}, "feedback[0].acceptedSuggestions"),
        ({"acceptedSuggestions": [{"id": ""}]}, "feedback[0].acceptedSuggestions[0]"),
        ({"acceptedSuggestions": ["b12"]}, "feedback[0].acceptedSuggestions[0]"),
        ({"overrideReason": "seen"}, "feedback[0].overrideReason"),
        ({"overrideReason": {"reason": {}}}, "feedback[0].overrideReason.reason.code"),
        ({"overrideReason": {"userComment": 7}}, "feedback[0].overrideReason.userComment"),
    ],
)
def test_f_5_a_wrong_or_missing_member_is_400(
    client: FlaskClient, members: dict[str, Any], expression: str
) -> None:
    response = client.post(ADDRESS, json={"feedback": [feedback(**members)]})
    body = assert_outcome(response, 400)
    assert body["issue"][0]["expression"][0].startswith(expression)


def test_f_5_not_every_one_of_many_faults_is_told(client: FlaskClient) -> None:
    body = assert_outcome(client.post(ADDRESS, json={"feedback": [{}] * 200}), 400)
    assert len(body["issue"]) == 20


def test_f_6_feedback_to_an_unknown_service_is_404(client: FlaskClient) -> None:
    response = client.post("/cds-services/other/feedback", json={"feedback": [feedback()]})
    assert_outcome(response, 404)


def test_feedback_leaves_one_line_without_values(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    comment = feedback(overrideReason={"reason": REASON, "userComment": "Ada knows"})
    with caplog.at_level(logging.INFO, logger="cds_service"):
        client.post(ADDRESS, json={"feedback": [comment, ACCEPTED, ACCEPTED]})
    (record,) = caplog.records
    assert (record.msg["endpoint"], record.msg["service"]) == ("receive_feedback", "toy")
    assert (record.msg["accepted"], record.msg["overridden"]) == (2, 1)
    assert "Ada" not in record.getMessage()


@needs_shared
@pytest.mark.parametrize(
    "recording",
    [
        "07-feedback-accepted",
        "08-feedback-overridden-reason",
        "09-feedback-overridden",
        "10-feedback-overridden-reason-no-system",
    ],
)
def test_f_2_what_the_sandbox_sends_is_taken(client: FlaskClient, recording: str) -> None:
    body = json.loads((RECORDINGS / f"{recording}.json").read_text())["body"]
    assert client.post(ADDRESS, json=body).status_code == 204
