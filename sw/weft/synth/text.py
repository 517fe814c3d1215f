"""Results as text for a terminal."""

from __future__ import annotations

from .blocks import BLOCKS
from .characterise import BlockResult

__all__ = ["block_text"]


def block_text(result: BlockResult) -> str:
    """A block on a library in a dozen lines."""
    mapped, timing = result.mapped, result.timing
    lines = [
        f"{result.block} ({result.config}) on {result.library.name}, {result.library.voltage_v:g} V, "
        f"sha256 {result.library.sha256[:12]}",
        f"  cells     {sum(mapped.cells.values())}"
        + (f", {result.flops} of them flip-flops" if result.flops is not None else ""),
        f"  area      {mapped.area_um2:.1f} µm² (cells, recipe {mapped.recipe.name})",
    ]
    if timing:
        lines += [
            f"  period    {timing.period_ps:.0f} ps = {timing.fastest_ghz:.2f} GHz pre-layout; "
            f"{result.frequency_ghz:.2f} GHz with {100 * result.margin:.0f} % of the period kept",
            f"  slowest   {timing.startpoint} -> {timing.endpoint}, {len(timing.steps)} stages",
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
            f"    {point.case.label:<26}{point.per_operation_fj:10.2f} fJ | {point.with_estimates_fj:8.2f} fJ"
            f"   (clock pins {100 * report.clock_pins_fj / report.total_fj:.0f} %, "
            f"glitches {100 * report.glitch_share:.0f} % of switching)"
        )
    lines += [f"  missing   {problem}" for problem in result.problems]
    return "\n".join(lines)
