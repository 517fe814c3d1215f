"""Submissions: the ring is fed, completions are noticed, failures become exceptions, the queue
starts afresh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.control.registers import Interrupt
from weft_hw.isa import COMMAND_BYTES, Status
from weft_sim.target import Target

from .errors import DeviceError
from .event import Event
from .faults import await_state, read_failure, timed_out
from .registers import Registers
from .ring import RECORD_BYTES, CommandRing

if TYPE_CHECKING:
    from .device import Device

__all__ = ["CommandQueue"]

#: Cycles without a completion that count as a hang when memory is quick: far above the longest
#: command of a kernel.
_WATCHDOG_CYCLES = 1 << 20
_INTERRUPTS = (Interrupt.COMPLETION | Interrupt.ERROR).value


class CommandQueue:
    """The queue of one device. ``Device`` documents its methods and what happens on errors.

    Parameters
    ----------
    watchdog_cycles
        Cycles without a completion that count as a hang; None scales them to memory latency and
        stalls.
    ring_entries
        Commands that the ring shall hold; fewer if memory is small.
    """

    def __init__(
        self,
        target: Target,
        registers: Registers,
        config: ChipConfig,
        *,
        watchdog_cycles: int | None,
        ring_entries: int,
    ) -> None:
        self.target = target
        self.registers = registers
        self.config = config
        if ring_entries < 2 or ring_entries & (ring_entries - 1):
            raise ValueError(
                f"ring_entries must be a power of two of at least 2, not {ring_entries}"
            )
        if watchdog_cycles is None:
            slow = max(1.0, target.dram.latency_cycles / 100)
            watchdog_cycles = int(_WATCHDOG_CYCLES * slow / (1.0 - target.dram.stall_probability))
            watchdog_cycles = min(watchdog_cycles, 2**32 - 1)
        if not 1 <= watchdog_cycles < 2**32:
            raise ValueError(
                f"watchdog_cycles must be between 1 and 2**32 - 1, not {watchdog_cycles}"
            )
        self.watchdog_cycles = watchdog_cycles
        # the ring takes at most an eighth of a small memory
        room = len(target.memory) // 8 // (COMMAND_BYTES + RECORD_BYTES)
        largest = min(config.host.max_ring_entries, 1 << max(1, room.bit_length() - 1))
        self._error: DeviceError | None = None
        #: How often the queue was reset.
        self.resets = 0
        self._configure()
        self.ring = CommandRing(target, registers, base=0, entries=min(ring_entries, largest))

    def _configure(self) -> None:
        """Registers that do not belong to the ring."""
        self.registers.write("INTERRUPT_STATUS", _INTERRUPTS)
        self.registers.write("INTERRUPT_ENABLE", _INTERRUPTS)
        self.registers.write("WATCHDOG", self.watchdog_cycles)

    def submit(
        self, rows: np.ndarray, device: Device, keep: tuple[Any, ...], result: Any, name: str = ""
    ) -> Event:
        """Feeds commands (n, 64) and a fence to the ring."""
        sequence = self.ring.next_sequence()
        fence = np.frombuffer(self.ring.fence(sequence), dtype=np.uint8)
        event = Event(device, np.concatenate((rows, fence[None])), sequence, keep, result, name)
        while len(self.ring.pending) >= self.ring.records // 2:
            self.wait(self.ring.pending[0], None)
        event.first_index = self.ring.tail
        self.ring.pending.append(event)
        self._feed(event)
        return event

    def _feed(self, event: Event) -> None:
        """Writes an event's commands as the ring takes them."""
        written = 0
        while written < len(event.commands) and not event.finished:
            room = self.ring.free_entries()
            if room == 0:
                self.target.run(self.watchdog_cycles // 64 + 1)
                self._service()
                continue
            self.ring.write(event.commands[written : written + room])
            if written == 0:
                event.doorbell_cycle = self.registers.read_wide("DOORBELL_CYCLE")
            written += room
        if written < len(event.commands):
            self._raise_error()

    def poll(self) -> None:
        """Takes note of what has completed or failed; raises an error nobody has heard of yet."""
        self._service()
        self._raise_error()

    def wait(self, event: Event, timeout_cycles: int | None) -> None:
        """Lets the device run until ``event`` is done; see ``Event.wait``."""
        start = self.target.cycle
        before = None
        while True:
            self._service()
            if event.finished:
                break
            spent = self.target.cycle - start
            if timeout_cycles is not None and spent >= timeout_cycles:
                self._fail(timed_out(self, event, f"is not done within {timeout_cycles} cycles"))
                continue
            budget = 2 * self.watchdog_cycles
            if not self.target.run(
                min(budget, timeout_cycles - spent) if timeout_cycles else budget
            ):
                # the device's watchdog should have spoken; make sure that this loop ends without it
                now = (self.registers.read("COMPLETED"), self.registers.read("HEAD"))
                if now == before:
                    self._fail(
                        timed_out(self, event, "makes no progress, and the watchdog is silent")
                    )
                before = now
        if event.error is not None:
            if event.error is self._error:
                self._error = None
            raise event.error

    def synchronize(self) -> None:
        """Waits for everything submitted; raises an error nobody has heard of yet."""
        while self.ring.pending:
            self.wait(self.ring.pending[-1], None)
        self._raise_error()

    def _service(self) -> None:
        bits = self.registers.read("INTERRUPT_STATUS")
        if bits:
            self.registers.write("INTERRUPT_STATUS", bits)
        self.ring.reap()
        if bits & Interrupt.ERROR.value:
            self._fail(read_failure(self))

    def _fail(self, error: DeviceError) -> None:
        """Every pending submission ends with ``error``; the queue starts afresh."""
        self._error = error
        self.reset(error)

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def reset(self, error: DeviceError | None = None) -> None:
        """Aborts what is in flight; pending submissions fail with ``error``; starts afresh."""
        if error is None:
            error = DeviceError("queue was reset before this was done", status=Status.ABORTED)
        self.resets += 1
        for event in self.ring.pending:
            event.fail(error)
        self.registers.write("RESET", 1)
        await_state(self, "DISABLED")
        self._configure()
        self.ring.restart()
