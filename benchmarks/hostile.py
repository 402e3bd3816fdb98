"""`python -m benchmarks.hostile`: what hostile bodies cost, each dimension at 1, 2, 4, 8 times.

A body is a person in danger, and more and more of one thing. Whatever that is, the work must grow
with the bytes: 8 times of it cost at most 1.2 times its share of one time.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import click
import orjson

from benchmarks.hostile_bodies import OF_PREFETCH, OF_RESOURCES, Json, filled
from benchmarks.in_process import call_of
from cds_service.environment import from_environment
from cds_service.errors import BodyTooLarge
from cds_service.garbage import uncollected
from cds_service.knowledge import CDSService, load
from cds_service.web.receiving import LARGE
from cds_service.wire.json_text import read_json
from cds_service.wire.responses import dump_response

SERVICE = "anxiety-leg-weakness"
TIMES = (1, 2, 4, 8)
DIMENSIONS = (*OF_RESOURCES, *OF_PREFETCH)
_PERSON = Path(__file__).parent.parent / "fixtures/requests/samuel-potassium-2-3.json"
_LARGEST = 16 * 1024 * 1024
_STEP = 1_000_000  # more than one body has of anything
_numbers = count(10 * _STEP, _STEP)  # all nearly as long
_TO_COMPARE = 0.01  # CPU seconds of one time; what costs less is lost in the noise


def body(dimension: str, many: int, first: int = 0) -> bytes:
    """A person in danger, and so many of something, numbered from `first`."""
    request: Json = orjson.loads(_PERSON.read_bytes())
    prefetch = request["prefetch"]
    if dimension in OF_PREFETCH:
        prefetch |= filled(OF_PREFETCH[dimension], many, first)
    elif many:
        bundle = prefetch["conditions"]
        entries = [{"resource": each} for each in filled(OF_RESOURCES[dimension], many, first)]
        bundle["entry"] = [*bundle.get("entry", ()), *entries]
        bundle.pop("total", None)
    return orjson.dumps(request)


def answer(service: CDSService, content: bytes) -> bytes:
    """The answer to a body, without HTTP; a large one as the server does it."""
    with uncollected() if len(content) > LARGE else nullcontext():
        call = call_of(service, read_json(content))
        given = service.answer(call)
        return orjson.dumps(dump_response(given.cards, call.retrieved.states, given.unread))


def growth(
    work: Callable[[str, int], float], dimension: str, many: int
) -> tuple[list[float], list[int]]:
    """The work above that of the person alone at each of TIMES, and the bytes above theirs.

    `work` is that of a dimension and a count.
    """
    counts = [times * many for times in TIMES]
    least, smallest = work(dimension, 0), len(body(dimension, 0))
    return (
        [work(dimension, each) - least for each in counts],
        [len(body(dimension, each, next(_numbers))) - smallest for each in counts],
    )


def seconds(service: CDSService, dimension: str, many: int, rounds: int = 5) -> float:
    """The least CPU time of some answers.

    Each body has other numbers, so that no text in it is remembered: the service remembers some
    thousand of them, which fewer would fit into than many. Each answer begins without garbage: what
    others left may be looked through in any one of them, which made the same body cost up to 1.5
    times as much by chance.
    """
    times = []
    for _ in range(rounds):
        content = body(dimension, many, next(_numbers))
        gc.collect()
        began = time.thread_time()
        answer(service, content)
        times.append(time.thread_time() - began)
    return min(times)


def _enough(service: CDSService, dimension: str, many: int) -> int:
    """So many that one time can be told from noise, if eight times of it fit into a call."""
    alone = seconds(service, dimension, 0)
    while seconds(service, dimension, many, 1) - alone < 2 * _TO_COMPARE:
        if not _is_read(body(dimension, TIMES[-1] * 2 * many, next(_numbers))):
            break
        many *= 2
    return many


def _is_read(content: bytes) -> bool:
    try:
        read_json(content)
    except BodyTooLarge:
        return False
    return len(content) <= _LARGEST


@click.command()
@click.option(
    "--count", "least", default=500, show_default=True, help="How many are one time, at least."
)
@click.option("--only", default="", help="A part of the names of dimensions.")
def main(least: int, only: str) -> None:
    """CPU of hostile bodies at 1, 2, 4 and 8 times, and by how much they exceed their share.

    The share is left out where one time is too cheap to be told from noise.
    """
    service = load(from_environment().cards_dir).services[SERVICE]
    gc.collect()
    gc.freeze()  # as the server does
    click.echo(_row("body", "bytes", *(f"{times}x, ms" for times in TIMES), "share"))
    for dimension in DIMENSIONS:
        if only not in dimension:
            continue
        enough = _enough(service, dimension, least)
        costs, sizes = growth(partial(seconds, service), dimension, enough)
        share = f"{costs[-1] / sizes[-1] / costs[0] * sizes[0]:.2f}"
        figures = (f"{cost * 1000:,.1f}" for cost in costs)
        told = share if costs[0] >= _TO_COMPARE else "-"
        click.echo(_row(dimension, f"{sizes[-1]:,}", *figures, told))


def _row(name: str, *figures: Any) -> str:
    return f"{name:36}" + "".join(f"{figure:>12}" for figure in figures)


if __name__ == "__main__":
    main()
