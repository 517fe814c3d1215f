"""A layout's results as text and as JSON."""

from __future__ import annotations

from typing import Any

from weft.synth.blocks import BLOCKS
from weft.synth.estimates import CORNERS
from weft.synth.tools import versions

from .flow import Layout

__all__ = ["as_dict", "layout_text"]


def as_dict(layout: Layout) -> dict[str, Any]:
    """For JSON; numbers carry their unit in the name."""
    left, bottom, right, top = layout.plan.core
    result: dict[str, Any] = {
        "block": layout.block,
        "config": layout.config,
        "library": layout.library.name,
        "library_sha256": layout.library.sha256,
        "tools": versions(),
        "cells": len(layout.design.parts),
        "cell_area_um2": layout.design.cell_area_um2,
        "core_um": [right - left, top - bottom],
        "core_area_um2": layout.plan.core_area_um2,
        "utilisation": layout.utilisation,
        "nets": len(layout.design.nets),
        "nets_not_routed": list(layout.routed.failed),
        "placement_s": layout.placement_seconds,
        "routing_s": layout.routed.seconds,
        "picture": str(layout.picture),
        "problems": layout.problems,
    }
    if layout.extracted:
        result["design_rule_violations"] = layout.extracted.errors
    if layout.match:
        result |= {
            "netlists_match": layout.match.matches,
            "devices_layout_netlist": layout.match.devices,
            "nets_layout_netlist": layout.match.nets,
        }
    wires = layout.wires
    if wires:
        result["wires"] = {
            "nets": len(wires.nets),
            "length_um": wires.length_um,
            "length_by_layer_um": wires.length_by_layer_um,
            "vias": sum(net.vias for net in wires.nets),
            "extracted_ff": sum(net.extracted_ff for net in wires.nets),
            "lef_ff": sum(net.lef_ff for net in wires.nets),
            "estimate_ff": sum(net.estimate_ff for net in wires.nets),
            "extracted_over_estimate": wires.ratio,
            "lef_over_estimate": wires.lef_ratio,
            "ratio_percentiles": wires.percentiles(),
            "ff_per_um": wires.ff_per_um,
            "pitches_per_sink": wires.pitches_per_sink,
            "clock_extracted_over_estimate": wires.clock.ratio if wires.clock else None,
            "clock_pitches_per_sink": wires.clock_pitches_per_sink,
        }
    if layout.periods_ps:
        result["period_ps_without_wires"], result["period_ps_with_wires"] = layout.periods_ps
    if layout.energies:
        result["energy_in_wires"] = [
            {
                "case": energy.case,
                "extracted_fj": energy.extracted_fj,
                "estimate_fj": energy.estimate_fj,
                "extracted_over_estimate": energy.ratio,
            }
            for energy in layout.energies
        ]
    return result


def layout_text(layout: Layout) -> str:
    """One quantity in a line."""
    left, bottom, right, top = layout.plan.core
    nets, failed = len(layout.design.nets), len(layout.routed.failed)
    lines = [
        f"{layout.block} of {layout.config} on {layout.library.name}",
        f"  cells        {len(layout.design.parts)}, {layout.design.cell_area_um2:.0f} µm² in "
        f"{right - left:.1f} by {top - bottom:.1f} µm ({100 * layout.utilisation:.0f} % used)",
        f"  placed in    {layout.placement_seconds:.0f} s",
        f"  routed       {nets - failed} of {nets} nets in {layout.routed.seconds:.0f} s",
    ]
    if layout.extracted:
        count = sum(layout.extracted.errors.values())
        lines.append(f"  rules        {count} violations (metal and vias)")
        lines += [f"               {n} {rule}" for rule, n in layout.extracted.errors.items()]
    if layout.match:
        verdict = "match" if layout.match.matches else "DO NOT MATCH"
        devices, nets_of = layout.match.devices, layout.match.nets
        lines.append(
            f"  netlists     {verdict}: {devices[0]} and {devices[1]} cells, "
            f"{nets_of[0]} and {nets_of[1]} nets (layout and mapped)"
        )
    wires = layout.wires
    if wires:
        value, shares = CORNERS["value"], wires.percentiles()
        spread = ", ".join(f"{name} {ratio:.2f}" for name, ratio in shares.items())
        lines += [
            f"  wires        {wires.length_um / 1e3:.2f} mm in {len(wires.nets)} nets, "
            f"{sum(net.vias for net in wires.nets)} vias",
            f"  wire capacitance, measured over estimate: {wires.ratio:.2f} extracted, "
            f"{wires.lef_ratio:.2f} by the LEF's layers",
            f"               by net: {spread}",
            f"               {wires.ff_per_um:.3f} fF/µm (estimate "
            f"{value.capacitance_ff_per_um}), {wires.pitches_per_sink:.2f} cell pitches for each "
            f"pin (estimate {value.pitches_per_sink})",
        ]
        if wires.clock:
            lines.append(
                f"               clock's net: {wires.clock.ratio:.2f}, "
                f"{wires.clock.length_um / 1e3:.2f} mm to {wires.clock.sinks} pins, "
                f"{wires.clock_pitches_per_sink:.2f} cell pitches each (estimate "
                f"{value.clock_pitches_per_sink})"
            )
    if layout.periods_ps:
        before, after = layout.periods_ps
        lines.append(
            f"  period       {before:.0f} ps without wires, {after:.0f} ps with them "
            f"({100 * (after / before - 1):+.1f} %)"
        )
    if layout.energies:
        operation = BLOCKS[layout.block].operation
        lines.append(f"  energy in wires, fJ per {operation}: extracted (estimate, ratio)")
        lines += [
            f"               {energy.case}: {energy.extracted_fj:.0f} "
            f"({energy.estimate_fj:.0f}, {energy.ratio:.2f})"
            for energy in layout.energies
        ]
    lines.append(f"  picture      {layout.picture}")
    return "\n".join(lines)
