"""Command programs for any device: a builder, and one way to run them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.control.registers import PROBE_WORDS, register_map
from weft_hw.isa import COMMAND_BYTES, Opcode
from weft_sim.target import Target

from ...commands import pack

__all__ = ["DATA_BYTES", "MEMORY_BYTES", "Outcome", "Program", "run_program"]

#: What a program may read and write, from address 0 on; behind it its ring, and at the end of
#: memory the completion records.
DATA_BYTES = 1 << 19
MEMORY_BYTES = 1 << 20
_RING_BASE = DATA_BYTES
_RECORD_BASE = MEMORY_BYTES - 4096
#: Registers read until a probe is answered.
_PROBE_READS = 200


@dataclass
class Program:
    """Commands, and what the memory holds before them; ``what`` says what they do."""

    config: ChipConfig
    what: str
    commands: list[bytes] = field(default_factory=list)
    memory: np.ndarray = field(default_factory=lambda: np.zeros(DATA_BYTES, np.uint8))

    def add(self, opcode: Opcode, *, tile: tuple[int, int] = (0, 0), **fields: object) -> None:
        """Appends a command, as ``weft.commands.pack`` makes it."""
        self.commands.append(pack(opcode, tile=tile, **fields))


@dataclass
class Outcome:
    """What a device made of a program. ``cycles``: doorbell to the fence's record."""

    finished: bool
    cycles: int
    memory: np.ndarray
    trace: np.ndarray
    registers: dict[str, int]
    statistics: dict[str, int]
    pages: list[list[list[int]]]
    """[tile][page][word]."""


def _write(target: Target, name: str, value: int) -> None:
    offsets = {register.name: register.offset for register in register_map(target.config)}
    target.write_register(offsets[name], value)


def _read(target: Target, name: str) -> int:
    offsets = {register.name: register.offset for register in register_map(target.config)}
    return target.read_register(offsets[name])


def _probe(target: Target, x: int, y: int, page: int) -> list[int]:
    """The words of a page of a tile's register space."""
    _write(target, "PROBE", x | y << 4 | page << 8)
    for _ in range(_PROBE_READS):
        if _read(target, "PROBE_VALID"):
            return [_read(target, f"PROBE_DATA_{i}") for i in range(PROBE_WORDS)]
    raise RuntimeError(f"the probe of tile ({x}, {y}) page {page} was not answered")


def run_program(
    target: Target,
    program: Program,
    *,
    max_cycles: int = 200_000,
    windows: tuple[tuple[int, int, int], ...] = ((0, MEMORY_BYTES >> 12, 3),),
    watchdog: int = 50_000,
) -> Outcome:
    """Runs a program from a chip reset, ended by a fence with interrupt.

    ``windows``: base, limit (pages of 4 KiB) and access of each. ``watchdog``: cycles.

    Raises
    ------
    RuntimeError
        if a tile does not answer its probe.
    """
    target.reset()
    target.memory[:] = 0
    target.memory[:DATA_BYTES] = program.memory
    fence = pack(Opcode.FENCE, sequence=7, interrupt=1)
    raw = b"".join([*program.commands, fence])
    target.memory[_RING_BASE : _RING_BASE + len(raw)] = np.frombuffer(raw, np.uint8)
    entries_log2 = max(1, (len(raw) // COMMAND_BYTES - 1).bit_length())
    for name, value in (
        ("QUEUE_BASE_LO", _RING_BASE),
        ("QUEUE_LOG2", entries_log2),
        ("COMPLETION_BASE_LO", _RECORD_BASE),
        ("COMPLETION_LOG2", 3),
        ("INTERRUPT_ENABLE", 3),
        ("WATCHDOG", watchdog),
    ):
        _write(target, name, value)
    for number, (base, limit, access) in enumerate(windows):
        _write(target, f"WINDOW_{number}_BASE", base)
        _write(target, f"WINDOW_{number}_LIMIT", limit)
        _write(target, f"WINDOW_{number}_ACCESS", access)
    target.set_tracing(True)
    _write(target, "CONTROL", 1)
    _write(target, "TAIL", len(raw) // COMMAND_BYTES)
    doorbell = _read(target, "DOORBELL_CYCLE_LO")
    finished = target.run(max_cycles)
    cycles = target.cycle - doorbell
    names = ("STATUS", "ERROR_STATUS", "ERROR_INDEX", "ERROR_SOURCE", "COMPLETED", "SEQUENCE")
    registers = {name: _read(target, name) for name in names}
    mesh = target.config.mesh
    pages = [
        [_probe(target, x, y, page) for page in range(3)]
        for y in range(mesh.rows)
        for x in range(mesh.cols)
    ]
    target.set_tracing(False)
    return Outcome(
        finished=finished,
        cycles=cycles,
        memory=target.memory[:_RING_BASE].copy(),
        trace=target.trace(),
        registers=registers,
        statistics=target.statistics(),
        pages=pages,
    )
