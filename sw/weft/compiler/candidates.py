"""Candidates of blockings, best first by a roofline."""

from __future__ import annotations

from weft_hw.config import ChipConfig

from .cost import Timing, array_cycles
from .layout import layout_of
from .regions import a_rows_of, b_rows_of, partial_rows_of
from .task import Blocking, GemmTask, Part, ceil_div, split
from .walk import k_unit

__all__ = ["blockings"]

#: A row of operands or results is one load or store row; its bytes are a 16-bit field.
_LARGEST_ROW_BYTES = 65_535
#: Pieces into which K is tried to be cut, beyond what the scratchpad demands.
_K_PIECES = (1, 2, 4, 8)
#: Modelled cycles that one more command costs somewhere.
_COMMAND_CYCLES = 4


def blockings(
    config: ChipConfig, task: GemmTask, part: Part, timing: Timing, resident: bool
) -> list[Blocking]:
    """Blockings for one part, the most promising first; the emitter may still refuse some."""
    found: dict[Blocking, float] = {}
    for m, n in _block_sizes(config, task, part):
        for m_outer in (True, False):
            for a_quarters in (2,) if resident else (2, 1):
                for k in (
                    (task.k,) if resident else _depths(config, task, part, m, n, a_quarters, timing)
                ):
                    blocking = Blocking(
                        m=m, n=n, k=k, m_outer=m_outer, first_k=k, tail_m=0, tail_n=0,
                        a_quarters=a_quarters, resident=resident,
                    )  # fmt: skip
                    found[blocking] = _roofline(config, task, part, blocking, timing)
    return sorted(found, key=lambda blocking: found[blocking])


def _block_sizes(config: ChipConfig, task: GemmTask, part: Part) -> set[tuple[int, int]]:
    """Sizes of result blocks that half the accumulator holds: powers of two by rows, as wide as
    fits or half.
    """
    lanes, half = config.tile.array_cols, config.tile.accumulator_rows // 2
    widest = min(
        8 * _LARGEST_ROW_BYTES // layout_of(config, code).bits // lanes
        for code in (task.out_format, task.format)
    )
    if task.wide_results:
        # a row of results must fit the region for results twice, beside one of residuals
        rows = config.tile.scratchpad_rows // 4 // 2
        rows //= 1 if task.residual_address is None else 2
        wide = config.tile.accumulator_row_bytes // config.tile.row_bytes
        widest = min(widest, rows // wide)
    sizes = set()
    m = 1
    while m <= half:
        rows = split(part.m, min(m, part.m))[0][1]
        for groups in {half // rows, ceil_div(half // rows, 2)}:
            columns = min(max(1, groups), widest) * lanes
            sizes.add((rows, split(part.n, columns, lanes)[0][1]))
        m *= 2
    # as tall as the whole width, or half of it, allows
    for groups in {ceil_div(part.n, lanes), ceil_div(part.n, 2 * lanes)}:
        if groups <= min(half, widest):
            rows = split(part.m, half // groups)[0][1]
            sizes.add((rows, split(part.n, groups * lanes, lanes)[0][1]))
    # short blocks waste the array unless the part itself is short
    tall = {size for size in sizes if size[0] >= min(part.m, config.tile.array_rows)}
    return tall or sizes


def _depths(
    config: ChipConfig,
    task: GemmTask,
    part: Part,
    m: int,
    n: int,
    a_quarters: int,
    timing: Timing,
) -> set[int]:
    """Operands at a time, so that at least two tiles of ``a`` and of ``b`` fit their regions."""
    unit = k_unit(config, task)
    quarter = config.tile.scratchpad_rows // 4
    a_rows = a_quarters * quarter
    b_rows = (3 - a_quarters) * quarter
    if task.wide_results and task.bias_address is not None:
        b_rows -= quarter // 8
    b_rows -= partial_rows_of(config, part, m, n, len(part.group))
    # rows that a unit of K takes of either region
    a_unit = a_rows_of(config, task, m, unit)
    b_unit = b_rows_of(config, task, unit, n)
    fits = []
    for tiles in (1, 2, 3):
        fits.append(min(a_rows // tiles // a_unit, b_rows // tiles // b_unit) * unit)
    if timing.sharing.sides:
        # pieces to send are beside the results
        room = quarter if task.wide_results and task.residual_address is None else quarter // 2
        units = ((a_unit, "a"), (b_unit, "b"))
        sent = max(rows for rows, side in units if timing.sharing.tiles(side) > 1)
        most = room // (timing.sharing.sides + 2) // sent * unit
        fits = [min(largest, most) for largest in fits]
    found = set()
    for largest in fits:
        for pieces in _K_PIECES:
            wanted = min(largest, ceil_div(ceil_div(task.k, pieces), unit) * unit)
            if wanted >= unit:
                found.add(min(task.k, split(task.k, wanted, unit)[0][1]))
    return found


def _roofline(
    config: ChipConfig, task: GemmTask, part: Part, blocking: Blocking, timing: Timing
) -> float:
    """Modelled cycles: the array's or the memory bus's, whichever is more, plus commands and a cold
    start.
    """
    tile, flit = config.tile, config.flit_bytes
    width, lanes = tile.array_rows, tile.array_cols
    operands = layout_of(config, task.format)
    down, across = ceil_div(part.m, blocking.m), ceil_div(part.n, blocking.n)
    # every block as the average one; edges are the timed candidates' business
    pieces = [
        (size, count)
        for size, count in ((blocking.m, down - 1), (part.m - blocking.m * (down - 1), 1))
        if count
    ]
    array = sum(
        count * array_cycles(max(1, size), task.k, part.n, width, lanes) for size, count in pieces
    )
    depth = ceil_div(task.k, blocking.k)
    a_rows = blocking.a_quarters * tile.scratchpad_rows // 4
    b_rows = (3 - blocking.a_quarters) * tile.scratchpad_rows // 4
    a_tile = a_rows_of(config, task, blocking.m, blocking.k)
    b_tile = b_rows_of(config, task, blocking.k, blocking.n)
    a_times, b_times = (
        (1 if depth * a_tile <= a_rows else across, down)
        if blocking.m_outer
        else (across, 1 if depth * b_tile <= b_rows else down)
    )
    if depth * a_tile * down <= a_rows:
        a_times = 1
    if depth * b_tile * across <= b_rows:
        b_times = 1
    a_requests: float = part.m * depth * a_times
    a_bytes, b_bytes = operands.bytes_of(blocking.k), operands.bytes_of(blocking.n)
    if task.image is not None:
        # a request for each pixel of a window
        pixels = ceil_div(blocking.k, task.image.depth(operands))
        a_requests, a_bytes = a_requests * pixels, ceil_div(a_bytes, pixels)
    b_requests: float = task.k * across * b_times
    stored = part.m * across
    out_bytes = layout_of(config, task.out_format).bytes_of(blocking.n)
    sent = 0.0
    if timing.sharing.sides:
        # what comes from other tiles, with headers
        sent = (a_requests * ceil_div(a_bytes, flit) + b_requests * ceil_div(b_bytes, flit)) * 9 / 8
    a_requests, b_requests = (
        requests / timing.sharing.tiles(side)
        for requests, side in ((a_requests, "a"), (b_requests, "b"))
    )
    load = a_requests * _row(a_bytes, config, timing, tile.load_requests)
    load += b_requests * _row(b_bytes, config, timing, tile.load_requests)
    store = stored * _row(out_bytes, config, timing, tile.store_requests)
    bus = (
        a_requests * (ceil_div(a_bytes, flit) + 1)
        + b_requests * (ceil_div(b_bytes, flit) + 1)
        + stored * ceil_div(out_bytes, flit)
    ) * flit / timing.bytes_per_cycle * timing.share  # fmt: skip
    commands = down * across * (3 * depth + 2)
    serial = 0.0
    if a_tile * 2 > a_rows or b_tile * 2 > b_rows:
        # no room for the next tile: loading and computing take turns
        serial = min(load, array)
    if blocking.resident:
        load = bus = 0.0
        serial = 0.0
    # the array starts when a first piece is there, and cannot outrun the memory in the first block
    early = min(blocking.k, 2 * width)
    pace = operands.bytes_of(blocking.m + blocking.n) * timing.share / timing.bytes_per_cycle
    first = array_cycles(blocking.m, task.k, blocking.n, width, lanes)
    head = 0.0 if blocking.resident else early * pace + max(0.0, task.k * pace - first)
    return max(array, load, store, bus, sent) + serial + head + commands * _COMMAND_CYCLES


def _row(row_bytes: int, config: ChipConfig, timing: Timing, requests: int) -> float:
    """Cycles one row of a transfer costs its engine."""
    packets = ceil_div(row_bytes, config.mesh.max_packet_bytes)
    beats = ceil_div(row_bytes, config.flit_bytes)
    return max(beats + packets, packets * timing.latency_cycles / requests)
