"""Many look-ups at once, each as soon as somebody is free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
V = TypeVar("V")


class Abreast:
    """Workers that look things up while whoever asked does something else.

    At the end of the ``with`` nothing is left running; leaving it by an exception, what was not
    begun yet never is.

    Args:
        workers: look-ups under way at once.
        name: of the threads.
    """

    def __init__(self, workers: int, name: str) -> None:
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, name)
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stop.set()
        self._pool.shutdown(cancel_futures=kind is not None)

    def begin(self, items: Mapping[str, T], read: Callable[[T], V]) -> Lookups[T, V]:
        """Begin to look up what has these names, in their order."""
        return Lookups(self._pool, self._workers, self._stop, items, read)

    def each(self, items: Mapping[str, T], read: Callable[[T], V]) -> dict[str, V]:
        """Look up what has these names, and return name → what was read.

        Raises:
            Exception: as :meth:`Lookups.wait` does.
        """
        return self.begin(items, read).wait()


class Lookups(Generic[T, V]):
    """Look-ups that were begun.

    Each worker takes one item after another: a task for each item costs more than the work.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        workers: int,
        stop: threading.Event,
        items: Mapping[str, T],
        read: Callable[[T], V],
    ) -> None:
        self._items = items
        self._read = read
        self._left = iter(items.items())
        self._lock = threading.Lock()
        self._stop = stop
        self._found: dict[str, V] = {}
        self._errors: dict[str, Exception] = {}
        self._running: list[Future[None]] = [
            pool.submit(self._work) for _ in range(min(workers, len(items)))
        ]

    def wait(self) -> dict[str, V]:
        """Return name → what was read, in the order of the items.

        After a failure no further item is begun, so that nobody waits for the rest.

        Raises:
            Exception: what ``read`` raised for the first of the items for which it raised.
        """
        for running in self._running:
            running.result()
        for name in self._items:
            if name in self._errors:
                raise self._errors[name]
        return {name: self._found[name] for name in self._items}

    def _work(self) -> None:
        while not self._stop.is_set() and not self._errors:
            with self._lock:
                taken = next(self._left, None)
            if taken is None:
                return
            name, item = taken
            try:
                self._found[name] = self._read(item)
            except Exception as error:  # noqa: BLE001  # raised again by whoever waits
                self._errors[name] = error
