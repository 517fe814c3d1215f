"""Modelled cycles of a program: closed forms for each command, dependencies between them.

A planner's model, to compare plans; the cycle model is the one to believe. ``Timing`` holds what it
assumes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from weft_hw.config import ChipConfig
from weft_hw.isa import COMMAND_BYTES, Engine, Opcode, VectorOutput
from weft_hw.vector.microcode import STRIP
from weft_hw.vector.processor.lane import ProcessorLane
from weft_sim.dram import Dram

from .program import Step
from .task import ceil_div

__all__ = [
    "Estimate",
    "Timing",
    "array_cycles",
    "estimate",
    "shape_ceiling",
    "strip_rows",
    "timed_together",
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
#: Tiles of a row that get the same of its endpoint.
_FAIR_TILES = 2


@dataclass(frozen=True, slots=True)
class Timing:
    """What a plan is priced with. ``share``: tiles that use the same memory endpoint.
    ``a_sharing``: tiles that get ``a`` by one load.
    """

    config: ChipConfig
    latency_cycles: int
    bytes_per_cycle: float
    share: int = 1
    tiles: int = 1
    a_sharing: int = 1
    #: of the configuration, looked up often: bytes of a flit, scratchpad rows of a vector of sums
    flit_bytes: int = field(init=False)
    wide_rows: int = field(init=False)

    def __post_init__(self) -> None:
        tile = self.config.tile
        object.__setattr__(self, "flit_bytes", tile.row_bytes)
        object.__setattr__(self, "wide_rows", tile.accumulator_row_bytes // tile.row_bytes)

    @classmethod
    def of(cls, config: ChipConfig, dram: Dram, share: int = 1, tiles: int = 1) -> Timing:
        width = dram.bytes_per_cycle or config.flit_bytes
        speed = min(width, config.flit_bytes) * (1 - dram.stall_probability)
        return cls(config, dram.latency_cycles + _NETWORK_CYCLES, speed, share, tiles)

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
        return max(bus * self.share, requests * self.latency_cycles // allowed), bus

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
            # a header flit for a handful of rows
            return fields["rows"] + ceil_div(fields["rows"], 8), self.latency_cycles // 2, 0
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


@dataclass(frozen=True, slots=True)
class Estimate:
    """Modelled cycles of one tile's program. ``starts``: of each step; ``sent``: when what each
    store to tiles carries has arrived; ``last_cycle``: of its last step, were the bus its own.
    """

    cycles: int
    array_cycles: int
    bus_cycles: int
    starts: list[int]
    sent: list[int]
    last_cycle: int


def _first_loads(steps: list[Step], timing: Timing) -> dict[Step, int]:
    """Of the loads that all tiles of a row ask for at once, when those of the tile furthest from
    memory are through, in cycles from the first.

    Where requests from further tiles meet those of a tile, they take turns: of four tiles the
    nearest gets half of them, the two furthest an eighth each, until the others have all they asked
    for. Two tiles get the same.
    """
    if timing.share <= _FAIR_TILES:
        return {}
    first = [step for step in steps if step.opcode is Opcode.LOAD and not step.needs]
    first = first[: timing.config.tile.command_queue_depth]
    wanted = [timing.bus_cycles(step) for step in first]
    all_requests = sum(requests for requests, _ in wanted)
    all_cycles = sum(bus for _, bus in wanted)
    turns = 2 ** (timing.share - 1)
    found, asked = {}, 0
    for step, (requests, _) in zip(first, wanted, strict=True):
        asked += requests
        served = asked * turns * all_cycles // all_requests
        found[step] = min(served, timing.share * all_cycles)
    return found


def estimate(steps: list[Step], timing: Timing, arrivals: Iterable[int] = ()) -> Estimate:
    """Runs the steps of one tile in ring order against the closed forms. ``arrivals``: when what
    its steps with a wait of their own wait for comes from another tile, in order.
    """
    coming = iter(arrivals)
    early = _first_loads(steps, timing)
    sent = []
    # of each engine
    free = [0] * len(Engine)
    visible = [0] * len(Engine)
    history: list[list[int]] = [[] for _ in Engine]
    finish: dict[Step, int] = {}
    starts = []
    depth = timing.config.tile.command_queue_depth
    dispatched, between = timing.first_dispatch_cycles, timing.dispatch_cycles * timing.tiles
    array = bus_total = 0
    for step in steps:
        engine = step.engine.value
        done = history[engine]
        dispatched += between
        if len(done) >= depth and done[-depth] > dispatched:
            # the queue has room again when its oldest command is done
            dispatched = done[-depth]
        ready = 0
        for need in step.needs:
            ended = finish.get(need, 0)
            if ended > ready:
                ready = ended
        ready += step.delay_cycles
        if step.wait and step.opcode is Opcode.MATMUL:
            ready = max(ready, next(coming, 0))
        start = max(free[engine], ready, dispatched)
        busy, after, bus = timing.cycles(step)
        if step in early:
            busy = max(busy, timing.first_dispatch_cycles + early[step] - start)
        free[engine] = start + busy
        end = max(start + busy + after, visible[engine] + busy)
        visible[engine] = end
        finish[step] = end
        done.append(end)
        starts.append(start)
        if step.fields.get("to_tiles") and step.fields["rows"]:
            sent.append(end)
        bus_total += bus
        if step.opcode is Opcode.MATMUL:
            array += busy
    last = max(visible)
    cycles = max(last, bus_total * timing.share)
    return Estimate(cycles, array, bus_total, starts, sent, last)


def timed_together(programs: Iterable[list[Step]], timing: Timing) -> list[Estimate]:
    """Estimates of the tiles of a mesh row of which the first, the leader, sends the others what
    they wait for.
    """
    found: list[Estimate] = []
    for steps in programs:
        if found:
            found.append(estimate(steps, timing, found[0].sent))
        else:
            # nearest to memory, it gets every other turn there
            found.append(estimate(steps, replace(timing, share=min(timing.share, _FAIR_TILES))))
    return found
