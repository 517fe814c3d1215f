"""What a chip of a configuration is made of: every part with its area.

Counted from measured blocks: processing elements and skew registers, operand streams, local
memories with check bits, accumulator adders, vector lanes, DMA engines, command front ends,
routers, endpoints, control. Left out: pads, PLL, memory controllers and PHYs, test logic.

Scaling of blocks that were measured at one width (assumed): operand streams by the array's rows;
DMA engines and endpoints half by the flit's width; routers by width, and their buffers (0.7 of a
router of depth 4) by depth.
"""

from __future__ import annotations

from dataclasses import dataclass

from weft_hw.config import ChipConfig

from .node_costs import Cost, NodeCosts, add_costs

__all__ = ["CHECK_BITS", "Part", "chip_parts", "element_block", "tile_cost"]

#: SECDED of 64-bit words: 72 bits stored for 64.
CHECK_BITS = 72 / 64
#: Area of a bit of a multi-port register file over one of single-port SRAM. Assumed.
_REGISTER_FILE = 3.0
#: Control of the vector engine over its lanes. Assumed.
_VECTOR_CONTROL = 1.2
#: An int32 adder with its register over the adder that also does fp32. Assumed.
_INTEGER_ADDER = 0.15
#: Vector registers of a lane of the processor: 128 of 32 bits.
_LANE_REGISTER_BITS = 4096
_PLANES = 2


@dataclass(frozen=True, slots=True)
class Part:
    """``count`` of a part, mm² in all. ``group``: where it lies in the floorplan; those of
    ``per_tile`` are in every tile alike."""

    name: str
    group: str
    count: int
    area_mm2: Cost
    per_tile: bool = True


def element_block(config: ChipConfig) -> str:
    """The processing element that the array is made of."""
    return "pe_float" if config.tile.has_float else "pe"


def _skew_bits(config: ChipConfig) -> int:
    tile = config.tile
    pace, operand = (3, 17) if tile.has_float else (1, 8)
    triangle_rows = tile.array_rows * (tile.array_rows - 1) // 2
    triangle_cols = tile.array_cols * (tile.array_cols - 1) // 2
    return operand * (pace * triangle_rows + triangle_cols) + tile.column_sum_bits * triangle_cols


def chip_parts(config: ChipConfig, costs: NodeCosts) -> list[Part]:
    """The parts.

    Raises
    ------
    ValueError
        if the table lacks a block.
    """
    tile, mesh = config.tile, config.mesh
    tiles, rows, cols = mesh.tiles, tile.array_rows, tile.array_cols
    wide = config.flit_bytes
    bit = costs.cost("sram", "area_um2_per_bit")

    def area(block: str, factor: float = 1.0) -> Cost:
        total = costs.cost(block, "area_um2")
        if costs.has(block, "memory_bits"):
            total = add_costs([total, bit.times(costs.cost(block, "memory_bits").value)])
        return total.times(factor)

    def part(name: str, group: str, count: int, each: Cost, per_tile: bool = True) -> Part:
        return Part(name, group, count, each.times(count * 1e-6), per_tile)

    def memory(name: str, kib: int) -> Part:
        bits = tiles * kib * 1024 * 8
        return Part(f"{name} (KiB)", name, tiles * kib, bit.times(bits * CHECK_BITS * 1e-6))

    per_lane = [area("lane", _VECTOR_CONTROL)]
    if tile.has_float:
        registers = bit.times(_LANE_REGISTER_BITS * _REGISTER_FILE)
        per_lane += [area("alu", _VECTOR_CONTROL), registers]
    adder = area("adder", 1.0 if tile.has_float else _INTEGER_ADDER)
    dma = 0.5 + 0.5 * wide / 8
    depth = 0.3 + 0.7 * mesh.router_fifo_depth / 4
    parts = [
        part("processing elements", "array", tiles * rows * cols, area(element_block(config))),
        part("skew registers", "array", tiles * _skew_bits(config), area("flop")),
        part("operand streams", "array", tiles, add_costs(
            [area(name, rows / 8) for name in ("streamer", "weights")])),
        memory("scratchpad", tile.scratchpad_kib),
        memory("accumulator", tile.accumulator_kib),
        part("accumulator adders", "accumulator", tiles * cols, adder),
        part("vector lanes", "vector", tiles * cols, add_costs(per_lane)),
        part("load and store", "dma", tiles, add_costs([area(n, dma) for n in ("load", "store")])),
        part("front ends", "commands", tiles, add_costs([
            area("frontend", 4.0), *(area(n) for n in ("ingress", "status", "completions"))])),
        part("routers", "router", _PLANES * tiles, area("router", wide / 16 * depth)),
        part("endpoints", "endpoint", mesh.memory_endpoints,
             area("endpoint", 0.5 + 0.5 * wide / 16), per_tile=False),
        part("control", "control", 1, area("control"), per_tile=False),
    ]  # fmt: skip
    if tile.transpose:
        bits = 64 * tile.row_bytes**2
        parts.append(Part("transpose memory", "dma", tiles, bit.times(tiles * bits * 1e-6)))
    return parts


def tile_cost(parts: list[Part], tiles: int) -> Cost:
    """mm² of one tile."""
    return add_costs([part.area_mm2 for part in parts if part.per_tile]).times(1 / tiles)
