"""What a failed device says about itself, as exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.control.registers import QueueState
from weft_hw.isa import Engine, Status

from .commands import unpack
from .disasm import command_text
from .errors import DeviceError, DeviceHang
from .hang import hang_report, probe

if TYPE_CHECKING:
    from .event import Event
    from .queue import CommandQueue

__all__ = ["await_state", "read_failure", "timed_out"]

#: Cycles that ending everything in flight may take beyond the memory's own latency.
_DRAIN_CYCLES = 200_000
_STEP_CYCLES = 64
_FOUND_BY_CONTROL = 1 << 31
_FAULT_ADDRESS_LOW, _FAULT_ADDRESS_HIGH = 12, 13
_ADDRESSED = (Status.WINDOW, Status.BUS, Status.LOCAL_RANGE)
#: Failures of the queue itself: no command is to blame.
_OF_THE_QUEUE = (Status.RING_OVERRUN, Status.MISALIGNED)


def await_state(queue: CommandQueue, *states: str) -> None:
    """Lets the device run until its queue is in one of ``states`` (names of ``QueueState``).

    Raises
    ------
    DeviceError
        if it does not get there; only a chip reset helps then.
    """
    wanted = {QueueState[state].value for state in states}
    start = queue.target.cycle
    latency = queue.target.dram.latency_cycles / (1 - queue.target.dram.stall_probability)
    limit = _DRAIN_CYCLES + 100 * int(latency)
    while queue.registers.read("STATUS") & 7 not in wanted:
        if queue.target.cycle - start > limit:
            raise DeviceError(
                f"queue does not become {' or '.join(states)} within {limit} cycles; "
                "reset the chip",
                status=Status.WATCHDOG,
            )
        queue.target.run(_STEP_CYCLES)


def read_failure(queue: CommandQueue) -> DeviceError:
    """The error behind the error interrupt; what is in flight has ended then, except in a hang."""
    registers = queue.registers
    status = Status(registers.read("ERROR_STATUS"))
    if status is not Status.WATCHDOG:
        await_state(queue, "HALTED", "DISABLED")
    index = registers.read("ERROR_INDEX")
    source = registers.read("ERROR_SOURCE")
    if status is Status.WATCHDOG:
        # nothing is aborted before the reset, so the tiles still show who waits on whom
        report = hang_report(queue.target, registers, queue.config, queue.ring.pending)
        reason = f"no command completed in {queue.watchdog_cycles} cycles"
        return DeviceHang(f"device hangs: {reason}\n{report}", report=report, index=index)
    text = _command_at(queue, index)
    tile, engine, address = None, None, None
    if not source & _FOUND_BY_CONTROL:
        tile, engine = (source >> 4 & 15, source >> 8 & 15), Engine(source & 3)
        if status in _ADDRESSED:
            words = probe(queue.target, registers, tile, 0)
            if words is not None:
                address = words[_FAULT_ADDRESS_LOW] | words[_FAULT_ADDRESS_HIGH] << 32
    if status in _OF_THE_QUEUE:
        return DeviceError(f"queue failed with {status.name}: {_DOCS[status]}", status=status)
    where = f" at 0x{address:x}" if address is not None else ""
    return DeviceError(
        f"command {index} failed with {status.name}{where}: {text or 'unknown command'}",
        status=status,
        index=index,
        command=text,
        tile=tile,
        engine=engine,
        address=address,
    )


_DOCS = {
    Status.RING_OVERRUN: "the tail register ran further ahead of the head than the ring is long",
    Status.MISALIGNED: "ring base or completion address must be a multiple of 64 bytes",
}


def timed_out(queue: CommandQueue, event: Event, what: str) -> DeviceHang:
    """The error for a submission that did not end, with the state of the device as it is now."""
    report = hang_report(queue.target, queue.registers, queue.config, queue.ring.pending)
    first = event.first_index
    return DeviceHang(
        f"submission of commands {first} to {event.fence_index} {what}\n{report}",
        report=report,
        index=first,
    )


def _command_at(queue: CommandQueue, index: int) -> str:
    """The command with that ring index among those pending, as text."""
    for event in queue.ring.pending:
        offset = (index - event.first_index) & 0xFFFF_FFFF
        if offset < len(event.commands):
            return command_text(unpack(event.commands[offset]))
    return ""
