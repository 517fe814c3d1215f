"""Agents for ready/valid streams, bound by the name of the port.

All three check the stream rules on what the design drives: once valid, ``valid`` and ``payload``
hold until ``ready``.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from .clocking import Bench, read
from .pauses import never
from .payload import pack, unpack

__all__ = ["StreamMonitor", "StreamSink", "StreamSource"]


class _Stream(ABC):
    """A stream port: handles, shape and a record of the transfers."""

    def __init__(self, bench: Bench, name: str, shape: Any = None, *, direction: str):
        self.bench = bench
        self.name = name
        self.shape = shape
        self.raw: list[int] = []
        """Payloads transferred, as integers, in order."""
        self.at: list[int] = []
        """Cycle (``Bench.cycle``) of each transfer."""
        known = [port for port in bench.ports if port.startswith(f"{name}__")]
        payload = f"{name}__payload"
        if f"{name}__valid" not in known and payload not in known:
            raise ValueError(f"stream must be a port of the design, not {name!r}")
        if f"{name}__valid" in known and direction != bench.ports[f"{name}__valid"]["direction"]:
            raise ValueError(
                f"stream {name} must be an {direction}put of the design for this agent"
            )
        self._valid = bench.port(f"{name}__valid") if f"{name}__valid" in known else None
        self._ready = bench.port(f"{name}__ready") if f"{name}__ready" in known else None
        self._payload = bench.port(payload) if payload in known else None
        bench.add(self)

    @property
    def items(self) -> list[Any]:
        """Payloads transferred, unpacked through the shape."""
        return [self._unpack(bits) for bits in self.raw]

    def _unpack(self, bits: int) -> Any:
        return bits if self.shape is None else unpack(self.shape, bits)

    def _transfer(self, bits: int) -> None:
        self.raw.append(bits)
        self.at.append(self.bench.cycle)

    def reset(self) -> None:
        self.raw.clear()
        self.at.clear()

    @abstractmethod
    def step(self) -> None:
        """What the agent does in a cycle, after the rising edge."""

    def describe(self) -> str:
        return f"{self.name}: {len(self.raw)} transfers"


class StreamSource(_Stream):
    """Drives an input stream of the design from a queue.

    ``send`` puts items in the queue; ``drained`` waits until all are taken. Between items ``valid``
    is low as long as ``pause`` says; an item once offered stays. The first item is offered one
    cycle after ``send``.
    """

    def __init__(
        self, bench: Bench, name: str, shape: Any = None, *, pause: Iterator[bool] | None = None
    ):
        self.pause = never() if pause is None else pause
        self._queue: deque[int] = deque()
        self._offered: int | None = None
        super().__init__(bench, name, shape, direction="in")

    def send(self, *items: Any) -> None:
        """Queues items: values of the shape, or integers where there is none."""
        for item in items:
            self._queue.append(item if self.shape is None else pack(self.shape, item, self.name))

    @property
    def pending(self) -> int:
        """Items not yet taken by the design."""
        return len(self._queue) + (self._offered is not None)

    async def drained(self, cycles: int = 100_000) -> None:
        """Waits until everything sent has been taken."""
        await self.bench.until(lambda: not self.pending, cycles=cycles, what=f"{self.name} drained")

    def reset(self) -> None:
        super().reset()
        self._queue.clear()
        self._offered = None
        if self._valid is not None:
            self._valid.value = 0

    def step(self) -> None:
        if self._offered is not None:
            if self._ready is not None and not read(self._ready):
                return
            self._transfer(self._offered)
            self._offered = None
            if not self._queue or next(self.pause):
                self._set_valid(0)
                return
        elif not self._queue or next(self.pause):
            return
        self._offered = self._queue.popleft()
        if self._payload is not None:
            self._payload.value = self._offered
        self._set_valid(1)

    def _set_valid(self, value: int) -> None:
        if self._valid is not None:
            self._valid.value = value

    def describe(self) -> str:
        return f"{super().describe()}, {self.pending} pending"


class StreamMonitor(_Stream):
    """Records the transfers of a stream the design drives and checks its rules; drives nothing.

    ``withdraws`` tells whether what is offered may be withdrawn in this cycle: where a port's
    contract has such an exception, a bench sets it.
    """

    def __init__(self, bench: Bench, name: str, shape: Any = None):
        self._held: int | None = None
        self.withdraws: Callable[[], bool] = lambda: False
        super().__init__(bench, name, shape, direction="out")

    def reset(self) -> None:
        super().reset()
        self._held = None

    def step(self) -> None:
        self._observe(self._ready is None or bool(read(self._ready)))

    def _observe(self, ready: bool) -> None:
        if self._valid is not None and not read(self._valid):
            if self._held is not None and not self.withdraws():
                raise AssertionError(
                    f"{self.name}: valid must hold until ready, not fall, in cycle "
                    f"{self.bench.cycle}"
                )
            self._held = None
            return
        if not ready and self._held is None:
            self._held = self._read()
        elif self._held is not None or ready:
            bits = self._read()
            if self._held is not None and self._held != bits:
                raise AssertionError(
                    f"{self.name}: payload must hold until ready, not change from {self._held:#x} "
                    f"to {bits:#x}, in cycle {self.bench.cycle}"
                )
            if ready:
                self._held = None
                self._transfer(bits)

    def _read(self) -> int:
        return 0 if self._payload is None else read(self._payload)

    def describe(self) -> str:
        waiting = ", one waiting for ready" if self._held is not None else ""
        return f"{super().describe()}{waiting}"


class StreamSink(StreamMonitor):
    """Takes the items of a stream the design drives: ``ready`` is high except when ``pause`` says
    otherwise.
    """

    def __init__(
        self, bench: Bench, name: str, shape: Any = None, *, pause: Iterator[bool] | None = None
    ):
        self.pause = never() if pause is None else pause
        self._ready_now = False
        super().__init__(bench, name, shape)

    async def take(self, count: int, cycles: int = 100_000) -> list[Any]:
        """Waits until ``count`` items have come since reset or the last ``clear``, and returns them
        unpacked.
        """
        what = f"{count} items on {self.name}"
        await self.bench.until(lambda: len(self.raw) >= count, cycles=cycles, what=what)
        return [self._unpack(bits) for bits in self.raw[:count]]

    def clear(self) -> None:
        """Forgets the items received."""
        self.raw.clear()
        self.at.clear()

    def reset(self) -> None:
        super().reset()
        self._drive(False)

    def step(self) -> None:
        self._observe(self._ready_now or self._ready is None)
        ready = not next(self.pause)
        if ready is not self._ready_now:
            self._drive(ready)

    def _drive(self, ready: bool) -> None:
        self._ready_now = ready
        if self._ready is not None:
            self._ready.value = int(ready)
