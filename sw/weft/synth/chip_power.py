"""Power of a chip: what its counters count, times unit costs, and clocks that never stop.

The RTL gates no clock, so an idle block still pays for its clock pins; blocks whose energy was not
measured pay by area what the processing element pays. Leakage is that of the libraries at 25 C.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weft_hw.config import ChipConfig

from .chip_parts import Part, element_block
from .node_costs import Cost, NodeCosts, add_costs

__all__ = ["REAL_DATA", "Activity", "PowerLine", "activity_at", "activity_of_counts", "chip_power"]

#: Case of the processing element by format: real activations, weights held.
REAL_DATA = {
    "int8": "int8_digits_held", "int4": "int4_digits_held", "bf16": "bf16_minilm_held",
    "fp8e4m3": "fp8e4m3_minilm_held", "fp8e5m2": "fp8e5m2_minilm_held",
    "mxfp8": "mxfp8_minilm_held",
}  # fmt: skip
#: Share of a flit a cycle and tile that moves in and out at full utilisation. Assumed: products
#: large enough to be limited by the array.
_LOAD_SHARE = 0.25
#: Leakage at the temperature of a hot die over that at 25 C. Assumed: doubles every 25 C or so.
HOT_LEAKAGE = 4.0


@dataclass(frozen=True, slots=True)
class Activity:
    """Of the whole chip, per cycle: steps of arrays (a row of activations each), rows drained by
    the vector engines, bytes loaded and stored, flits times hops."""

    array_steps: float
    rows_drained: float
    bytes_loaded: float
    bytes_stored: float
    flit_hops: float
    format: str = "int8"
    hot: bool = False


@dataclass(frozen=True, slots=True)
class PowerLine:
    """Watts of a part."""

    name: str
    power_w: Cost


def activity_at(config: ChipConfig, utilisation: float, format: str, hot: bool) -> Activity:
    """Arrays busy that share of the time, everything else in proportion."""
    tiles, rows = config.mesh.tiles, config.tile.array_rows
    moved = _LOAD_SHARE * utilisation * tiles * config.flit_bytes
    steps = utilisation * tiles
    return Activity(
        array_steps=steps,
        rows_drained=steps / rows,
        bytes_loaded=moved,
        bytes_stored=moved / 4,
        flit_hops=1.25 * moved / config.flit_bytes * _mean_hops(config),
        format=format,
        hot=hot,
    )


def activity_of_counts(
    config: ChipConfig, counters: Mapping[str, int], cycles: int, format: str = "int8"
) -> Activity:
    """From the chip's own counters, summed over tiles (``weft.counters``), and the cycles they
    were counted in.

    Raises
    ------
    ValueError
        for cycles that are not positive.
    """
    if cycles <= 0:
        raise ValueError(f"cycles must be positive, not {cycles}")
    flits = counters["request_flits"] + counters["response_flits"]
    return Activity(
        array_steps=counters["array_steps"] / cycles,
        rows_drained=counters["rows_drained"] / cycles,
        bytes_loaded=counters["bytes_loaded"] / cycles,
        bytes_stored=counters["bytes_stored"] / cycles,
        flit_hops=flits / cycles * _mean_hops(config),
        format=format,
    )


def _mean_hops(config: ChipConfig) -> float:
    """From the west edge to a column, plus what lies between rows with and without an endpoint."""
    mesh = config.mesh
    return (mesh.cols + 1) / 2 + (mesh.rows - 1) / (2 * mesh.memory_endpoints)


def chip_power(
    config: ChipConfig, costs: NodeCosts, parts: list[Part], ghz: float, tile_mm: float,
    activity: Activity,
) -> list[PowerLine]:  # fmt: skip
    """Watts by part at ``ghz``; ``tile_mm`` is the side of a tile, which a flit crosses in a hop.

    Raises
    ------
    ValueError
        for a format that the chip does not have, or a block that was not measured.
    """
    tile, tiles = config.tile, config.mesh.tiles
    if activity.format not in tile.formats:
        raise ValueError(
            f"format must be among {', '.join(tile.formats)}, which {config.name} has, not "
            f"{activity.format!r}"
        )
    element = element_block(config)
    macs = tile.array_rows * tile.array_cols
    idle_case = "bf16_zeros_held" if tile.has_float else "int8_zeros_held"
    real = "random_held" if activity.hot else ""
    case = REAL_DATA[activity.format]
    if real and costs.has(element, f"energy_fj.{activity.format}_{real}"):
        case = f"{activity.format}_{real}"
    zeros = costs.cost(element, f"energy_fj.{idle_case}")
    busy = costs.cost(element, f"energy_fj.{case}")
    element_area = costs.cost(element, "area_um2")
    clock_per_um2 = zeros.times(1 / element_area.value)
    areas = {part.name: part.area_mm2.value * 1e6 for part in parts}

    def watts(fj_per_cycle: Cost) -> Cost:
        return fj_per_cycle.times(ghz * 1e-6)

    def clocked(name: str) -> Cost:
        return clock_per_um2.times(areas[name])

    idle_macs = max(0.0, tiles - activity.array_steps) * macs
    sram = costs.sram_pj_per_byte().times(1e3)
    pad = activity.array_steps * tile.row_bytes + activity.bytes_loaded + activity.bytes_stored
    accumulator = 2 * activity.array_steps * tile.accumulator_row_bytes
    drained = activity.rows_drained * tile.array_cols
    lane_idle = costs.cost("lane", "energy_fj.zeros")
    lane_more = max(costs.cost("lane", "energy_fj.digits").value - lane_idle.value, 0.0)
    hop = _hop_fj(config, costs, tile_mm)
    router_idle = costs.cost("router", "energy_fj.idle").times(
        2 * tiles * config.flit_bytes / 16 * config.mesh.router_fifo_depth / 4
    )
    lines = [
        PowerLine("processing elements", watts(add_costs(
            [busy.times(activity.array_steps * macs), zeros.times(idle_macs)]))),
        PowerLine("skew registers, streams", watts(add_costs(
            [clocked("skew registers"), clocked("operand streams")]))),
        PowerLine("scratchpad", watts(sram.times(pad))),
        PowerLine("accumulator", watts(add_costs(
            [sram.times(accumulator), clocked("accumulator adders")]))),
        PowerLine("vector", watts(add_costs(
            [lane_idle.times(tiles * tile.array_cols), lane_idle.times(
                drained * lane_more / max(lane_idle.value, 1e-9))]))),
        PowerLine("load and store", watts(_moved_fj(config, costs, activity))),
        PowerLine("routers and links", watts(add_costs(
            [router_idle, hop.times(activity.flit_hops)]))),
        PowerLine("front ends, endpoints, control", watts(add_costs(
            [clocked(name) for name in ("front ends", "endpoints", "control")]))),
    ]  # fmt: skip
    leak = costs.cost(element, "leakage_nw").times(1 / element_area.value)
    total = sum(areas.values()) * 1e-9 * (HOT_LEAKAGE if activity.hot else 1.0)
    return [*lines, PowerLine("leakage", leak.times(total))]


def _hop_fj(config: ChipConfig, costs: NodeCosts, tile_mm: float) -> Cost:
    """A flit through a router and over a tile's side, beyond the router's idle clock."""
    traffic = costs.cost("router", "energy_fj.random")
    idle = costs.cost("router", "energy_fj.idle").value / 4
    share = max(traffic.value - idle, 0.0) / traffic.value
    bits = 8 * config.flit_bytes
    wire = costs.wire_fj_per_bit_mm().times(bits * tile_mm)
    return add_costs([traffic.times(share * config.flit_bytes / 16), wire])


def _moved_fj(config: ChipConfig, costs: NodeCosts, activity: Activity) -> Cost:
    """Load and store engines: their clock, and what a byte takes beyond it."""
    found = []
    for name, rate in (("load", activity.bytes_loaded), ("store", activity.bytes_stored)):
        idle = costs.cost(name, "energy_fj.idle")
        moved = costs.cost(name, "energy_fj.digits")
        clock = idle.value / costs.cost(name, "bytes_per_cycle.digits").value
        share = max(moved.value - clock, 0.0) / moved.value
        width = 0.5 + 0.5 * config.flit_bytes / 8
        found += [idle.times(config.mesh.tiles * width), moved.times(share * rate)]
    return add_costs(found)
