"""Area and power of a whole chip: every line a count times a row of the unit-cost table.

Modelled. Counted: processing elements, vector lanes, routers, DMA engines, memory endpoints,
control, memories. Left out: pads, PLL, memory controllers and PHYs, test logic, the floorplan's
dead space beyond the utilisation of each block, power of DMA, endpoints, control and of flits
moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weft_hw.config import ChipConfig

from .unit_costs import UnitCost

__all__ = ["ChipEstimate", "Line", "estimate_chip"]

#: Bytes of a flit of the preset that blocks were measured at (base).
_MEASURED_FLIT_BYTES = 16
#: Request and response plane.
_PLANES = 2
#: SRAM area and energy at 7 nm. Area: ASAP7's black-box macros, 2,752 µm² for 256 x 256; range
#: assumed. Energy of 64-bit reads: 8.5 pJ of 32 KB, 14 pJ of 1 MB (Jouppi et al., ISCA 2021,
#: table 2); low: 50 fJ/bit at 14 nm (Dally et al., CACM 2020).
_SRAM_UM2_PER_BIT = {"asap7": (0.042, 0.035, 0.06)}
_SRAM_PJ_PER_BYTE = {"asap7": (8.5 / 8, 0.4, 14 / 8)}


@dataclass(frozen=True, slots=True)
class Line:
    """``count`` of a part: area (mm²) and power (W) as (value, low, high)."""

    part: str
    count: int
    area_mm2: tuple[float, float, float]
    power_w: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ChipEstimate:
    """Of a configuration on a node at ``frequency_ghz`` and ``utilisation`` of the array."""

    config: str
    node: str
    frequency_ghz: float
    limited_by: str
    utilisation: float
    lines: tuple[Line, ...]

    def total(self, quantity: str) -> tuple[float, float, float]:
        """Sum of ``area_mm2`` or ``power_w``: value, low, high."""
        columns = zip(*(getattr(line, quantity) for line in self.lines), strict=True)
        value, low, high = (sum(column) for column in columns)
        return value, low, high

    @property
    def peak_tops(self) -> float:
        """Dense int8, two operations per MAC."""
        macs = next(line.count for line in self.lines if line.part == "processing elements")
        return 2e-3 * macs * self.frequency_ghz


def estimate_chip(
    config: ChipConfig, table: Mapping[str, UnitCost], node: str, utilisation: float
) -> ChipEstimate:
    """The estimate. The clock is that of the slowest block measured.

    Raises
    ------
    ValueError
        if the table lacks a row for the node, or utilisation is not from 0 to 1.
    """
    if not 0 <= utilisation <= 1:
        raise ValueError(f"utilisation must be from 0 to 1, not {utilisation}")
    if node not in _SRAM_UM2_PER_BIT:
        raise ValueError(
            f"node must be one with memory figures ({', '.join(_SRAM_UM2_PER_BIT)}), not {node!r}"
        )
    tile, mesh = config.tile, config.mesh
    blocks = {key.split(".")[2] for key in table if key.startswith(f"synth.{node}.")}
    needed = {"pe", "lane", "router"}
    if not needed <= blocks:
        raise ValueError(
            f"the table has no {', '.join(sorted(needed - blocks))} of {node}: measure it with "
            "weft synth --all --pdk DIR"
        )
    clocks = {
        block: table[f"synth.{node}.{block}.frequency_ghz"].value
        for block in sorted(blocks)
        if f"synth.{node}.{block}.frequency_ghz" in table
    }
    slowest = min(clocks, key=lambda block: clocks[block])
    ghz = clocks[slowest]
    wide = config.flit_bytes / _MEASURED_FLIT_BYTES

    def area(block: str, count: float) -> tuple[float, float, float]:
        row = table[f"synth.{node}.{block}.area_um2"]
        return row.value * count * 1e-6, row.low * count * 1e-6, row.high * count * 1e-6

    def power(keys: Mapping[str, float]) -> tuple[float, float, float]:
        """fJ per operation times operations per ns is µW."""
        rows = [(table[f"synth.{node}.{key}"], rate) for key, rate in keys.items()]
        value, low, high = (
            sum(getattr(row, name) * rate for row, rate in rows) * 1e-6
            for name in ("value", "low", "high")
        )
        return value, low, high

    elements = mesh.tiles * tile.array_rows * tile.array_cols
    lanes = mesh.tiles * tile.array_cols
    routers = _PLANES * mesh.tiles
    busy, idle = utilisation * ghz, (1 - utilisation) * ghz
    # a row of the accumulator leaves the vector engine once in the rows of a block
    drain = busy / tile.array_rows
    lines = [
        Line(
            "processing elements",
            elements,
            area("pe", elements),
            power(
                {
                    "pe.energy_fj.digits_held": elements * busy,
                    "pe.energy_fj.zeros_held": elements * idle,
                }
            ),
        ),
        Line(
            "vector lanes",
            lanes,
            area("lane", lanes),
            power(
                {
                    "lane.energy_fj.digits": lanes * drain,
                    "lane.energy_fj.zeros": lanes * (ghz - drain),
                }
            ),
        ),
        Line(
            "routers",
            routers,
            area("router", routers * wide),
            power({"router.energy_fj.idle": routers * wide * ghz}),
        ),
    ]
    counts = {
        "load": mesh.tiles,
        "store": mesh.tiles,
        "endpoint": mesh.memory_endpoints,
        "control": 1,
    }
    for block, count in counts.items():
        if block in blocks:
            scaled = count * (1.0 if block == "control" else wide)
            lines.append(Line(block, count, area(block, scaled), (0.0, 0.0, 0.0)))
    lines.append(_memories(config, node, ghz, utilisation))
    return ChipEstimate(config.name, node, ghz, slowest, utilisation, tuple(lines))


def _memories(config: ChipConfig, node: str, ghz: float, utilisation: float) -> Line:
    tile = config.tile
    bits = config.mesh.tiles * (tile.scratchpad_kib + tile.accumulator_kib) * 1024 * 8
    # per array step: a row of activations read, a row of the accumulator read and written
    bytes_per_step = tile.row_bytes + 2 * tile.accumulator_row_bytes
    rate = config.mesh.tiles * bytes_per_step * utilisation * ghz
    area = tuple(bits * um2 * 1e-6 for um2 in _SRAM_UM2_PER_BIT[node])
    power = tuple(rate * pj * 1e-3 for pj in _SRAM_PJ_PER_BYTE[node])
    return Line("memories (bits)", bits, area, power)  # type: ignore[arg-type]
