"""Results as text for a terminal."""

from __future__ import annotations

from .blocks import BLOCKS
from .characterise import BlockResult
from .chip_estimate import ChipEstimate

__all__ = ["block_text", "chip_text"]


def block_text(result: BlockResult) -> str:
    """A block on a library in a dozen lines."""
    mapped, timing = result.mapped, result.timing
    lines = [
        f"{result.block} ({result.config}) on {result.library.name}, "
        f"{result.library.voltage_v:g} V, "
        f"sha256 {result.library.sha256[:12]}",
        f"  cells     {sum(mapped.cells.values())}"
        + (f", {result.flops} of them flip-flops" if result.flops is not None else ""),
        f"  area      {mapped.area_um2:.1f} µm² (cells, recipe {mapped.recipe.name})",
    ]
    if timing:
        lines += [
            f"  period    {timing.period_ps:.0f} ps = {timing.fastest_ghz:.2f} GHz pre-layout; "
            f"{result.frequency_ghz:.2f} GHz with {100 * result.margin:.0f} % of the period kept",
            f"  slowest   {' -> '.join(result.path_owners)}, {len(timing.steps)} stages",
        ]
    if len(result.tried) > 1:
        tried = ", ".join(
            f"{name} {area:.0f} µm²" + (f" {period:.0f} ps" if period else "")
            for name, (area, period) in result.tried.items()
        )
        lines.append(f"  recipes   {tried}")
    if result.leakage_nw is not None:
        lines.append(f"  leakage   {result.leakage_nw:.4g} nW")
    if result.energy:
        lines.append(
            f"  energy per {BLOCKS[result.block].operation}, measured on gates (pre-layout) | with "
            "wire and clock-tree estimates"
        )
    for point in result.energy:
        report = point.report
        lines.append(
            f"    {point.case.label:<26}{point.per_operation_fj:10.2f} fJ | "
            f"{point.with_estimates_fj:8.2f} fJ"
            f"   (clock pins {100 * report.clock_pins_fj / report.total_fj:.0f} %, "
            f"glitches {100 * report.glitch_share:.0f} % of switching)"
        )
    lines += [f"  missing   {problem}" for problem in result.problems]
    return "\n".join(lines)


def chip_text(estimate: ChipEstimate) -> str:
    """The estimate of a chip, a line a part, with ranges."""
    lines = [
        f"chip {estimate.config} on {estimate.node}, modelled from measured blocks: "
        f"{estimate.frequency_ghz:.2f} GHz (limited by {estimate.limited_by}), "
        f"{estimate.peak_tops:.2f} TOPS int8 dense, array busy {100 * estimate.utilisation:.0f} %",
        f"  {'part':<22}{'count':>12}   {'area mm2':<28}power W",
    ]
    for line in estimate.lines:
        area, power = (_band(values) for values in (line.area_mm2, line.power_w))
        lines.append(f"  {line.part:<22}{line.count:>12}   {area:<28}{power}")
    area, power = (_band(estimate.total(name)) for name in ("area_mm2", "power_w"))
    lines.append(f"  {'total':<22}{'':>12}   {area:<28}{power}")
    return "\n".join(lines)


def _band(values: tuple[float, float, float]) -> str:
    value, low, high = values
    return f"{value:.3g} ({low:.3g} to {high:.3g})"
