"""Does the parts of the work: here, in processes or on a Dask cluster, by the same function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context

from cds_service.errors import SimulationFailed
from cds_service.simulation.partitions import Plan, Progress, evaluate_partition


def run(
    plan: Plan, partitions: Sequence[int], *, workers: int, scheduler: str | None
) -> Iterator[Progress]:
    """Evaluate the partitions; gives each one that is done, in any order."""
    if scheduler is not None:
        return _on_cluster(plan, partitions, scheduler)
    if workers == 1 or len(partitions) < 2:
        return map(partial(evaluate_partition, plan), partitions)
    return _in_processes(plan, partitions, workers)


def _in_processes(plan: Plan, partitions: Iterable[int], workers: int) -> Iterator[Progress]:
    # New processes, not forked ones: a fork of a process with threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(evaluate_partition, plan, partition) for partition in partitions]
        try:
            for part in as_completed(parts):
                yield part.result()
        except BrokenProcessPool:
            raise SimulationFailed("a process died; start again to go on where it was") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_cluster(plan: Plan, partitions: Iterable[int], scheduler: str) -> Iterator[Progress]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise SimulationFailed(f"--scheduler needs the extra `dask`: {error}") from None
    try:
        client = Client(scheduler)  # type: ignore[no-untyped-call]  # it has no types
    except (OSError, ValueError):
        raise SimulationFailed(f"no scheduler answers at {scheduler}") from None
    with client:
        parts = [
            client.submit(evaluate_partition, plan, partition, pure=False)
            for partition in partitions
        ]
        for part in as_completed(parts):  # type: ignore[no-untyped-call]  # it has no types
            yield part.result()
