"""Command programs for any device: a builder, random programs, and one way to run them.

A program is bit-exact on every correct device, because its engines are joined by semaphores, and it
cannot deadlock, because every wait is met by signals of commands earlier in the ring.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from weft.commands import pack
from weft_hw.config import ChipConfig
from weft_hw.control.registers import PROBE_WORDS, register_map
from weft_hw.isa import COMMAND_BYTES, Opcode, VectorOutput
from weft_sim.target import Target

__all__ = ["DATA_BYTES", "MEMORY_BYTES", "Outcome", "Program", "random_program", "run_program"]

DATA_BYTES = 1 << 19
MEMORY_BYTES = 1 << 20
RING_BASE = DATA_BYTES
RECORD_BASE = MEMORY_BYTES - 4096
#: Semaphores of a slot: operands, parameters, results.
_LOADED_A, _LOADED_W, _LOADED_P, _SUMS, _RESULTS, _FREE = range(6)
_SLOT_SEMAPHORES = 6


@dataclass
class Program:
    """Commands, and what the memory holds before them."""

    config: ChipConfig
    commands: list[bytes] = field(default_factory=list)
    memory: np.ndarray = field(default_factory=lambda: np.zeros(DATA_BYTES, np.uint8))

    def add(self, opcode: Opcode, **fields: int | tuple[int, int] | VectorOutput) -> None:
        self.commands.append(pack(opcode, **fields))


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


def probe(target: Target, x: int, y: int, page: int) -> list[int]:
    """The words of a page of a tile's register space."""
    _write(target, "PROBE", x | y << 4 | page << 8)
    for _ in range(200):
        if _read(target, "PROBE_VALID"):
            return [_read(target, f"PROBE_DATA_{i}") for i in range(PROBE_WORDS)]
    raise AssertionError(f"the probe of tile ({x}, {y}) page {page} was not answered")


def run_program(
    target: Target,
    program: Program,
    *,
    max_cycles: int = 200_000,
    windows: tuple[tuple[int, int, int], ...] = ((0, MEMORY_BYTES >> 12, 3),),
    watchdog: int = 50_000,
) -> Outcome:
    """Runs a program from a chip reset, ended by a fence with interrupt."""
    target.reset()
    target.memory[:] = 0
    target.memory[:DATA_BYTES] = program.memory
    fence = pack(Opcode.FENCE, sequence=7, interrupt=1)
    raw = b"".join([*program.commands, fence])
    target.memory[RING_BASE : RING_BASE + len(raw)] = np.frombuffer(raw, np.uint8)
    entries_log2 = max(1, (len(raw) // COMMAND_BYTES - 1).bit_length())
    for name, value in (
        ("QUEUE_BASE_LO", RING_BASE),
        ("QUEUE_LOG2", entries_log2),
        ("COMPLETION_BASE_LO", RECORD_BASE),
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
        [probe(target, x, y, page) for page in range(3)]
        for y in range(mesh.rows)
        for x in range(mesh.cols)
    ]
    target.set_tracing(False)
    return Outcome(
        finished=finished,
        cycles=cycles,
        memory=target.memory[:RING_BASE].copy(),
        trace=target.trace(),
        registers=registers,
        statistics=target.statistics(),
        pages=pages,
    )


class _Slot:
    """Half a tile's memories and semaphores, used by every second round."""

    def __init__(self, config: ChipConfig, number: int, aligned: bool) -> None:
        tile = config.tile
        half = tile.scratchpad_rows // 2
        self.base = number * half
        self.quarters = [self.base + i * half // 4 for i in range(4)]
        self.quarter = half // 4
        self.acc_rows = tile.accumulator_rows // 2
        self.acc_base = number * self.acc_rows
        self.semaphores = number * _SLOT_SEMAPHORES
        self.used = False
        if aligned:
            # a bank each for activations, weights and results; both slots share them
            bank = tile.scratchpad_rows // tile.scratchpad_banks
            self.quarter = bank // 2
            self.quarters = [i * bank + number * self.quarter for i in range(4)]

    def bit(self, which: int) -> int:
        return 1 << (self.semaphores + which)


def random_program(
    config: ChipConfig, rng: np.random.Generator, rounds: int = 3, *, aligned: bool = False
) -> Program:
    """Rounds of load, matmul, vector, store on every tile, two in flight a tile, sizes at random.

    ``aligned``: operands and results lie in banks of their own, so that engines do not meet.
    """
    program = Program(config)
    program.memory[:] = rng.integers(0, 256, DATA_BYTES, np.uint8)
    # scales that give results of all sizes, whatever row they are read from
    scales = np.float32(2.0) ** rng.integers(-16, 2, 1024).astype(np.float32)
    program.memory[:4096] = scales.view(np.uint8)
    tiles = [(x, y) for y in range(config.mesh.rows) for x in range(config.mesh.cols)]
    slots = {tile: [_Slot(config, 0, aligned), _Slot(config, 1, aligned)] for tile in tiles}
    heap = 8192
    for number in range(rounds):
        for tile in tiles:
            heap = _round(program, rng, tile, slots[tile][number % 2], heap)
    return program


def _round(
    program: Program,
    rng: np.random.Generator,
    tile: tuple[int, int],
    slot: _Slot,
    heap: int,
) -> int:
    config = program.config
    t = config.tile
    rows, width = t.array_rows, t.row_bytes
    parts = t.accumulator_row_bytes // width

    def size(limit: int) -> int:
        return int(rng.integers(1, max(2, limit + 1)))

    n = size(min(3 * rows, slot.quarter // (2 * parts) * rows))
    nb = -(-n // rows)
    k = size(min(4 * rows, slot.quarter // nb))
    kb = -(-k // rows)
    int32 = bool(rng.integers(0, 2))
    out_rows = nb * (parts if int32 else 1)
    m = size(min(slot.quarter // kb, slot.quarter // out_rows, slot.acc_rows // nb, 5 * rows))
    endpoint = int(rng.integers(0, config.mesh.memory_endpoints))
    a_row, w_row, p_row, o_row = slot.quarters
    free = slot.bit(_FREE) if slot.used else 0
    slot.used = True

    def address(count: int) -> int:
        return int(rng.integers(4096, DATA_BYTES // 2 - count))

    stride = k + int(rng.integers(0, 9))
    common = {"tile": tile, "endpoint": endpoint}
    program.add(
        Opcode.LOAD, memory_address=address(m * stride), memory_stride=stride, row_bytes=k, rows=m,
        local_row=a_row, local_stride=kb, wait=free, signal=slot.bit(_LOADED_A), **common,
    )  # fmt: skip
    program.add(
        Opcode.LOAD, memory_address=address(k * n), memory_stride=n, row_bytes=n, rows=k,
        local_row=w_row, local_stride=nb, signal=slot.bit(_LOADED_W), **common,
    )  # fmt: skip
    constants = -(-4 * n // width)
    program.add(
        Opcode.LOAD, memory_address=0, memory_stride=0, row_bytes=4 * n, rows=1,
        local_row=p_row, local_stride=0, signal=slot.bit(_LOADED_P), **common,
    )  # fmt: skip
    program.add(
        Opcode.MATMUL, tile=tile, m=m, k=k, n=n, a_row=a_row, w_row=w_row, acc_row=slot.acc_base,
        a_stride=kb, w_stride=nb, acc_stride=m,
        wait=slot.bit(_LOADED_A) | slot.bit(_LOADED_W), signal=slot.bit(_SUMS),
    )  # fmt: skip
    residual = bool(rng.integers(0, 2)) and nb <= kb
    program.add(
        Opcode.VECTOR, tile=tile, m=m, n=n, acc_row=slot.acc_base, acc_stride=m, out_row=o_row,
        out_stride=out_rows, bias_row=p_row, scale_row=p_row, residual_row=a_row,
        residual_stride=kb, zero_point=int(rng.integers(-128, 128)), clamp_min=-128,
        clamp_max=int(rng.integers(0, 128)),
        output=VectorOutput.INT32 if int32 else VectorOutput.INT8,
        use_bias=int(rng.integers(0, 2)), use_residual=int(residual),
        wait=slot.bit(_SUMS) | slot.bit(_LOADED_P), signal=slot.bit(_RESULTS),
    )  # fmt: skip
    assert constants <= slot.quarter
    row_bytes = n * (4 if int32 else 1)
    gap = int(rng.integers(0, 9))
    where = DATA_BYTES // 2 + heap
    heap += m * (row_bytes + gap) + int(rng.integers(0, 64))
    assert where + m * (row_bytes + gap) < DATA_BYTES
    program.add(
        Opcode.STORE, memory_address=where, memory_stride=row_bytes + gap, row_bytes=row_bytes,
        rows=m, local_row=o_row, local_stride=out_rows, wait=slot.bit(_RESULTS),
        signal=slot.bit(_FREE), **common,
    )  # fmt: skip
    return heap
