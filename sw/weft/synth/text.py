"""Results as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .backtest import TARGET, Backtest
from .blocks import BLOCKS
from .characterise import BlockResult
from .chip_estimate import DERATE, ChipEstimate
from .ladder import Comparison
from .node_costs import Cost

__all__ = ["backtest_text", "block_text", "chip_text", "ladder_text"]


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
    clock = estimate.frequency_ghz
    kept = ", ".join(f"{100 * share:.0f} % {why}" for why, share in DERATE.items())
    lines = [
        f"chip {estimate.config} on {estimate.node}, modelled from measured blocks",
        f"  clock {_band(clock)} GHz: slowest block {estimate.limited_by}; of the period kept for "
        f"{kept}",
        f"  peak {_tops(estimate.peak_tops)} TOPS dense ({estimate.macs} MACs a cycle)",
        f"  {'part':<32}{'count':>12}   area, mm2 (low to high)",
    ]
    lines += [
        f"  {part.name:<32}{part.count:>12}   {_band(part.area_mm2)}" for part in estimate.parts
    ]
    lines += [
        f"  {'core with channels':<32}{'':>12}   {_band(estimate.area_mm2)}",
        f"  {'power, ' + estimate.activity.format:<32}{'':>12}   W (low to high)",
    ]
    lines += [f"  {line.name:<32}{'':>12}   {_band(line.power_w)}" for line in estimate.power]
    lines += [
        f"  {name:<32}{'':>12}   {_band(cost)}"
        for name, cost in (
            ("all of it", estimate.power_w),
            ("idle, no clock gated", estimate.idle_w),
            ("thermal design power", estimate.tdp_w),
        )
    ]
    return "\n".join(lines)


def ladder_text(comparisons: Sequence[Comparison]) -> str:
    """Measured and published factors between nodes."""
    return "\n".join(
        f"ladder: {item.what}: measured {item.measured:.2f} x, published {item.published:.2f} x "
        f"({item.low:.2f} to {item.high:.2f}): {100 * item.disagreement:+.0f} %; {item.source}"
        for item in comparisons
    )


def backtest_text(tests: Sequence[Backtest]) -> str:
    """Chips that were built, a row a figure."""
    inside = sum(test.inside for test in tests)
    lines = [
        f"built chips: published and modelled, {inside} of {len(tests)} rows within "
        f"{100 * TARGET:.0f} %"
    ]
    for test in tests:
        chip = test.chip
        lines.append(
            f"  {chip.chip:<9}{chip.quantity:<6}{chip.published:>9.4g} {chip.unit:<4}"
            f"{_band(test.modelled):<28}{100 * test.error:>+6.0f} %  {chip.covers}; {chip.source}"
        )
    return "\n".join(lines)


def _tops(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _band(cost: Cost) -> str:
    return f"{cost.value:.3g} ({cost.low:.3g} to {cost.high:.3g})"
