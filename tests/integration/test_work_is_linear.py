"""Whatever a record has more and more of, the work grows with its bytes."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import pytest

from benchmarks import hostile
from cds_service.knowledge import CDSService

COUNT = 12  # is one time
MOST = 1.2  # of its share
# What the rest of an answer varies by, such as one more line on a card, in calls of functions.
SLACK = 1500


def _calls(service: CDSService, dimension: str, count: int) -> int:
    """How many functions are called for an answer, those of C among them."""
    content = hostile.body(dimension, count)
    counted = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        hostile.answer(service, content)
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("dimension", hostile.DIMENSIONS)
def test_eight_times_of_it_cost_no_more_than_their_share(
    dimension: str, service: CDSService
) -> None:
    hostile.answer(service, hostile.body(dimension, 8 * COUNT))  # what is remembered, is
    work, size = hostile.growth(partial(_calls, service), dimension, COUNT)
    for times, sizes in zip(work[1:], size[1:], strict=True):
        share = max(work[0], 0) * sizes / size[0]
        assert times <= MOST * share + SLACK, f"{work} calls for {size} bytes"
