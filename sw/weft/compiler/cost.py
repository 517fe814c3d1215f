"""Modelled cycles of commands: closed forms, and what they assume (``Timing``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from weft_hw.config import ChipConfig
from weft_hw.isa import COMMAND_BYTES, Engine, Opcode, VectorOutput
from weft_hw.vector.microcode import STRIP
from weft_hw.vector.processor.lane import ProcessorLane
from weft_sim.dram import Dram

from .program import Step, furthest
from .share import ALONE, Sharing
from .task import ceil_div

__all__ = [
    "Timing",
    "array_cycles",
    "shape_ceiling",
    "strip_rows",
    "window_cycles",
]

#: Cycles for a packet to cross the network once, to and from memory, beyond the memory's own
#: latency.
_NETWORK_CYCLES = 40
#: Cycles from the doorbell to the first command's start, beyond the memory's latency and the time
#: of two dispatches (measured on all presets).
_DOORBELL_CYCLES = 10
#: Cycles a vector or store command takes before it streams.
_START_CYCLES = 12
_HEADER_BITS = 88
#: Cycles for a packet to tiles to be written and acknowledged, at its own tile and for each router
#: beyond (the cycle model: 11 and 4 on every mesh).
_OWN_CYCLES, _HOP_CYCLES = 11, 4
#: Rows that a packet to tiles carries.
_PACKET_ROWS = 8


@dataclass(frozen=True, slots=True)
class Timing:
    """What a plan is priced with. ``share``: tiles that use the same memory endpoint; ``sharing``:
    what they share.
    """

    config: ChipConfig
    latency_cycles: int
    bytes_per_cycle: float
    share: int = 1
    tiles: int = 1
    sharing: Sharing = ALONE
    #: of the configuration, looked up often: bytes of a flit, scratchpad rows of a vector of sums
    flit_bytes: int = field(init=False)
    wide_rows: int = field(init=False)

    def __post_init__(self) -> None:
        tile = self.config.tile
        object.__setattr__(self, "flit_bytes", tile.row_bytes)
        object.__setattr__(self, "wide_rows", tile.accumulator_row_bytes // tile.row_bytes)

    @classmethod
    def of(
        cls,
        config: ChipConfig,
        dram: Dram,
        share: int = 1,
        tiles: int = 1,
        sharing: Sharing = ALONE,
    ) -> Timing:
        width = dram.bytes_per_cycle or config.flit_bytes
        speed = min(width, config.flit_bytes) * (1 - dram.stall_probability)
        return cls(config, dram.latency_cycles + _NETWORK_CYCLES, speed, share, tiles, sharing)

    @property
    def dispatch_cycles(self) -> int:
        """Between two commands: the flits of one."""
        return ceil_div(8 * COMMAND_BYTES + _HEADER_BITS, 8 * self.flit_bytes)

    @property
    def first_dispatch_cycles(self) -> int:
        """From the doorbell to the first command's start."""
        memory = self.latency_cycles - _NETWORK_CYCLES
        return memory + _DOORBELL_CYCLES + 2 * self.dispatch_cycles

    def transfer_cycles(self, step: Step) -> tuple[int, int]:
        """Cycles the engine needs for a load or store, and cycles it takes of the endpoint's
        bus.
        """
        requests, bus = self.bus_cycles(step)
        allowed = (
            self.config.tile.load_requests
            if step.engine is Engine.LOAD
            else self.config.tile.store_requests
        )
        streams = step.streams or self.share
        return max(bus * streams, requests * self.latency_cycles // allowed), bus

    def bus_cycles(self, step: Step) -> tuple[int, int]:
        """Requests of a load or store, and cycles it takes of the endpoint's bus."""
        fields, flit = step.fields, self.flit_bytes
        rows, row_bytes = fields["rows"], fields["row_bytes"]
        for loop in ("more_1", "more_2", "more_3"):
            rows *= 1 + fields.get(loop, 0)
        if (
            rows == fields["rows"]
            and fields["memory_stride"] == row_bytes
            and row_bytes % flit == 0
        ):
            rows, row_bytes = 1, rows * row_bytes
        packet = self.config.mesh.max_packet_bytes
        requests = rows * ceil_div(row_bytes, packet)
        beats = rows * ceil_div(row_bytes, flit)
        header = ceil_div(_HEADER_BITS, 8 * flit) if step.engine is Engine.STORE else 1
        # every packet's header takes a flit of the endpoint's link, too
        return requests, max(int(beats * flit / self.bytes_per_cycle), beats + requests * header)

    def sent_cycles(self, step: Step) -> int:
        """Flits of a store to tiles: rows, and a header for a handful of them."""
        rows = step.fields["rows"]
        return rows + max(1, ceil_div(rows, _PACKET_ROWS))

    def cycles(self, step: Step) -> tuple[int, int, int]:
        """Cycles in the engine, cycles from its end to the last write, cycles of the bus."""
        fields = step.fields
        width, lanes = self.config.tile.array_rows, self.config.tile.array_cols
        if step.opcode is Opcode.MATMUL:
            busy = array_cycles(fields["m"], fields["k"], fields["n"], width, lanes)
            return busy, 2 * width + lanes + 10, 0
        if step.opcode is Opcode.VECTOR:
            groups = ceil_div(fields["n"], lanes)
            wide = fields["output"] == VectorOutput.INT32.value
            rate = self.wide_rows if wide else 1
            return fields["m"] * groups * rate + 8 * groups, _START_CYCLES, 0
        if step.opcode is Opcode.NOP:
            return 1, 0, 0
        if step.opcode is Opcode.PROGRAM:
            return fields["count"], _START_CYCLES, 0
        if step.opcode is Opcode.FILL:
            return fields["rows"] * fields["columns"], _START_CYCLES, 0
        if step.opcode is Opcode.RUN:
            groups = ceil_div(fields["n"], lanes)
            return strip_rows(fields["m"]) * groups * step.row_cycles, _START_CYCLES, 0
        if fields.get("to_tiles"):
            return self.sent_cycles(step), _OWN_CYCLES + _HOP_CYCLES * furthest(step), 0
        busy, bus = self.transfer_cycles(step)
        return busy, self.latency_cycles, bus


def strip_rows(rows: int) -> int:
    """Cycles that an instruction takes for so many rows: a short strip's operations wait for what
    they depend on.

    >>> strip_rows(8), strip_rows(12), strip_rows(15)
    (8, 14, 15)
    """
    whole, rest = divmod(rows, STRIP)
    return whole * STRIP + (max(rest, ProcessorLane.DISTANCE) if rest else 0)


def array_cycles(m: int, k: int, n: int, rows: int, cols: int) -> int:
    """Cycles of one matmul command: its blocks of ``rows x cols`` weights, ``max(m, rows)`` cycles
    each.
    """
    return ceil_div(n, cols) * ceil_div(k, rows) * max(m, rows)


def window_cycles(m: int, k: int, n: int, rows: int, cols: int) -> int:
    """Least cycles from the first operand read to the last accumulator write of a product on one
    array.

    ``R + (blocks - 1) max(m, R) + m + R + C`` with ``blocks = ceil(n/C) ceil(k/R)``: the first
    weights, every block but the last as long as it takes or the next weights take, the last block's
    rows, their way across the array. Pipeline registers of an implementation come on top.
    """
    blocks = ceil_div(n, cols) * ceil_div(k, rows)
    return rows + (blocks - 1) * max(m, rows) + m + rows + cols


def shape_ceiling(config: ChipConfig, m: int, k: int, n: int, tiles: int | None = None) -> float:
    """Largest utilisation that a shape allows, 0 to 1: ``m k n / (tiles R C cycles)``.

    ``cycles`` is ``window_cycles`` of the largest part of the best even split of the result over
    the tiles.
    """
    rows, cols = config.tile.array_rows, config.tile.array_cols
    count = config.mesh.tiles if tiles is None else tiles
    cycles = min(
        window_cycles(
            ceil_div(m, down),
            k,
            min(n, ceil_div(ceil_div(n, cols), count // down) * cols),
            rows,
            cols,
        )
        for down in range(1, count + 1)
    )
    return m * k * n / (count * rows * cols * cycles)
