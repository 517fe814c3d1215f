"""The vector engine's microprograms, interpreted (``weft_hw.vector.microcode`` has the meaning).

``run_microprogram`` is bit-exact. It executes an instruction for all rows of the matrix, and in
loops without a carried register for all column blocks, at once, where no order can be told from the
result; otherwise strip by strip, block by block, as the hardware does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from weft_hw.config import TileConfig
from weft_hw.isa import Status
from weft_hw.vector.microcode import REGISTERS, STRIP, Op

from .instructions import Decoded, Segment, follow
from .streams import OutOfRange, Stream, Streams, Use
from .vector_registers import Registers

__all__ = ["EngineState", "RunResult", "run_microprogram"]


@dataclass(frozen=True)
class RunResult:
    """How a run ended. ``address`` is the row (of scratchpad or accumulators) that is out of range,
    or the entry of the instruction that is illegal or stores to the accumulators."""

    status: Status
    address: int = 0


class EngineState:
    """What registers and mask keep from one run to the next; zero at reset.

    Only a program that reads a register before it writes it can tell.
    """

    def __init__(self, lanes: int) -> None:
        self.registers = np.zeros((REGISTERS, STRIP, lanes), np.uint32)
        self.mask = np.zeros((STRIP, lanes), bool)


def run_microprogram(
    tile: TileConfig,
    store: np.ndarray,
    scratchpad: np.ndarray,
    accumulator: np.ndarray,
    *,
    m: int,
    n: int,
    start: int,
    streams: Sequence[Stream],
    scalars: Sequence[int] = (0, 0, 0, 0),
    state: EngineState | None = None,
) -> RunResult:
    """Runs a program over an M x N matrix; scratchpad and accumulators change in place.

    Parameters
    ----------
    tile : TileConfig
    store : (entries,) ndarray of uint64
        the engine's microprogram store.
    scratchpad : (rows, row_bytes) ndarray of uint8, contiguous
    accumulator : (rows, C) ndarray of int32 or uint32, contiguous
    m, n, start
        of the RunCommand.
    streams : up to 4 of Stream
        the command's; those left out are zero.
    scalars : 4 integers
        the command's, 32 bits each.
    state : EngineState, optional
        registers and mask, changed in place; zeros if left out.

    Returns
    -------
    RunResult
        with what the hardware answers: OK, ILLEGAL_FIELD, ILLEGAL_INSTRUCTION, LOCAL_RANGE. Up to
        the instruction and row that went wrong everything has been done.

    Raises
    ------
    TypeError, ValueError
        for arrays of another dtype or shape than the tile's memories.
    """
    lanes = tile.array_cols
    _check(store, "store", (np.uint64,), (tile.microprogram_entries,))
    _check(scratchpad, "scratchpad", (np.uint8,), (tile.scratchpad_rows, tile.row_bytes))
    rows = (tile.accumulator_rows, lanes)
    _check(accumulator, "accumulator", (np.int32, np.uint32), rows)
    streams = (*streams, *(Stream(),) * (4 - len(streams)))
    if not (m and n) or not all(stream.is_legal(tile) for stream in streams):
        return RunResult(Status.ILLEGAL_FIELD)
    run = _Run(tile, store, scratchpad, accumulator, m, n, streams, scalars)
    read_only = [number for number, stream in enumerate(streams) if stream.accumulator]
    program = follow(store, start, lanes, read_only)
    state = state or EngineState(lanes)
    run.prepare(program.segments)
    with np.errstate(all="ignore"):
        if program.fault is None and run.in_range and run.strips_free and not program.carries:
            run.strips(program.segments, 0, m, state)
            return RunResult(Status.OK)
        for first in range(0, m, STRIP):
            try:
                run.strips(program.segments, first, min(m, first + STRIP), state)
            except OutOfRange as fault:
                return RunResult(Status.LOCAL_RANGE, fault.address)
            if program.fault is not None:
                return RunResult(program.status, program.fault)
    return RunResult(Status.OK)


def _check(array: np.ndarray, name: str, dtypes: tuple[type, ...], shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
        kinds = " or ".join(dtype.__name__ for dtype in dtypes)
        raise TypeError(f"{name} must be a numpy array of {kinds}, not {array!r}")
    if array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(f"{name} must be contiguous and of shape {shape}, not {array.shape}")


class _Run:
    """A command while it runs."""

    def __init__(
        self,
        tile: TileConfig,
        store: np.ndarray,
        scratchpad: np.ndarray,
        accumulator: np.ndarray,
        m: int,
        n: int,
        streams: Sequence[Stream],
        scalars: Sequence[int],
    ) -> None:
        self.m, self.n, self.lanes = m, n, tile.array_cols
        self.blocks = -(-n // self.lanes)
        self.table = (store & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        self.scalars = [int(scalar) & 0xFFFFFFFF for scalar in scalars]
        self.streams = Streams(tile, scratchpad, accumulator, streams, m, n)

    def prepare(self, segments: Sequence[Segment]) -> None:
        """Finds out what may run at once."""
        uses = [self._uses(segment) for segment in segments]
        together = [use for some in uses for use in some]
        self.in_range = all(self.streams.in_range(use.stream, use.blocks) for use in together)
        self.strips_free = self.in_range and self.streams.independent(together, rounds=False)
        self.at_once = [
            self.in_range and not segment.carries and self.streams.independent(some, rounds=True)
            for segment, some in zip(segments, uses, strict=True)
        ]

    def _uses(self, segment: Segment) -> list[Use]:
        blocks = self.blocks if segment.loop else 1
        return [
            Use(step.stream, step.op is Op.STORE, blocks)
            for step in segment.body
            if step.op in (Op.LOAD, Op.STORE)
        ]

    def strips(self, segments: Sequence[Segment], first: int, end: int, state: EngineState) -> None:
        """The program for rows ``first`` to ``end - 1``, a whole number of strips or a part of the
        last."""
        registers = Registers(state.registers, state.mask, first, end, self.scalars, self.table)
        for number, segment in enumerate(segments):
            if not segment.loop:
                self._steps(segment.body, registers, 0, 1)
            elif self.at_once[number]:
                self._steps(segment.body, registers, 0, self.blocks)
            else:
                for block in range(self.blocks):
                    self._steps(segment.body, registers, block, block + 1)
        registers.keep(state.registers, state.mask)

    def _steps(self, body: Sequence[Decoded], registers: Registers, block: int, end: int) -> None:
        """Instructions, each for all rows and blocks ``block`` to ``end - 1``."""
        registers.blocks(block, end)
        rows = registers.first, registers.end
        for step in body:
            if step.op is Op.LOAD:
                lanes = self.streams.load(step, *rows, block, end)
                registers.write(step.d, lanes)
            elif step.op is Op.STORE:
                self.streams.store(step, registers.read(step.a), *rows, block, end)
            else:
                registers.execute(step)
        registers.last_block()
