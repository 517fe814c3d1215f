"""Where designs are priced: all local cores (joblib), or a Dask cluster that already runs."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from weft.fleet.errors import FleetError

__all__ = ["Engine", "cluster_engine", "local_engine"]

Record = dict[str, Any]
Task = Callable[[Any], Record]


class Engine(Protocol):
    """Runs a function over items, yielding results as they finish, in any order."""

    workers: int

    def map(self, task: Task, items: Sequence[Any]) -> Iterator[Record]:
        """Results in the order they finish."""


class _Local:
    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, task: Task, items: Sequence[Any]) -> Iterator[Record]:
        if self.workers == 1:
            yield from (task(item) for item in items)
            return
        from joblib import Parallel, delayed

        pool = Parallel(n_jobs=self.workers, return_as="generator_unordered")
        yield from pool(delayed(task)(item) for item in items)


class _Cluster:
    def __init__(self, client: Any, as_completed: Callable[..., Any]) -> None:
        self._client, self._as_completed = client, as_completed
        self.workers = len(client.scheduler_info()["workers"])

    def map(self, task: Task, items: Sequence[Any]) -> Iterator[Record]:
        futures = self._client.map(task, list(items), pure=False)
        try:
            for future in self._as_completed(futures):
                yield future.result()
        finally:
            self._client.cancel(futures)


@contextmanager
def local_engine(workers: int | None = None) -> Iterator[Engine]:
    """`workers` processes (default: every core this process may use)."""
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    if count < 1:
        raise FleetError(f"workers must be at least 1, not {count}")
    yield _Local(count)


@contextmanager
def cluster_engine(address: str) -> Iterator[Engine]:
    """A running Dask scheduler (`tcp://host:8786`); its workers need this package installed.

    Raises
    ------
    FleetError
        without the optional packages, or when nothing answers at the address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise FleetError(
            "a cluster address needs Dask; install it with: pip install 'weft[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise FleetError(
            f"no Dask scheduler answers at {address!r} ({type(error).__name__}); "
            "start one with: dask scheduler"
        ) from None
    try:
        yield _Cluster(client, as_completed)
    finally:
        client.close()
