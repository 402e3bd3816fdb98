"""What ten times as many rules cost an answer."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import chain

from benchmarks.bodies import Body
from benchmarks.in_process import call_of
from cds_service.knowledge import CDSService
from cds_service.knowledge.content.artifacts import Rule
from cds_service.knowledge.record.record import PatientRecord
from cds_service.wire.json_text import read_json

TIMES = (1, 2, 5, 10)
_ROUNDS = 40


def milliseconds(service: CDSService, body: Body, *, touched: bool) -> list[float]:
    """CPU of an answer with so many times the rules, for each of TIMES.

    The additional rules read what is on record if they are `touched`, else only what is not.
    """
    call = call_of(service, read_json(body.content))
    record = PatientRecord(call, service.terminology, service.statuses, service.lists)
    judged = service.relevance.baseline(record).rules_to_judge(service, record)
    of_record = {rule.id for rule in judged}
    copied = [rule for rule in service.rules if (rule.id in of_record) is touched]
    wanted = len(service.rules)
    services = [_grown(service, copied, (times - 1) * wanted) for times in TIMES]
    least = [float("inf")] * len(TIMES)
    for _ in range(_ROUNDS):  # in turn, so that whatever else the machine does meets all of them
        for place, grown in enumerate(services):
            began = time.thread_time()
            grown.answer(call)
            least[place] = min(least[place], (time.thread_time() - began) * 1000)
    return least


def _grown(service: CDSService, copied: list[Rule], more: int) -> CDSService:
    """The service with so many more rules: copies under other names that show and withhold nothing.

    So only their conditions are added, not cards.
    """
    copies = (
        replace(
            rule,
            governance=replace(rule.governance, id=f"{rule.id}-copy-{number}"),
            slot=None,
            section=None,
            opens=None,
            only_slots=None,
            withhold=(),
            demote=(),
            beside=(),
        )
        for number in range(more // len(copied) + 1)
        for rule in copied
    )
    grown = replace(service, rules=tuple(chain(service.rules, (next(copies) for _ in range(more)))))
    grown.prepare()
    return grown
