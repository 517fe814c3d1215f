"""From a block to a checked layout and the measure of its wires.

::

    block - mapping - placement - floorplan - routing - checking - wires, timing, picture
            (Yosys)   (graywolf)              (qrouter) (magic, netgen)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from weft_hw.config import ChipConfig
from weft_hw.verilog import to_verilog

from weft.synth.blocks import BLOCKS
from weft.synth.errors import FlowError, ToolError
from weft.synth.flop_sizing import size_flops
from weft.synth.library import CellLibrary, default_library
from weft.synth.mapping import RECIPES, map_to_cells
from weft.synth.netlist import Netlist, read_netlist
from weft.synth.nodes import NODES
from weft.synth.timing import time_netlist

from .checking import Extracted, Match, compare, extract, net_capacitances_ff
from .design import Design, to_design
from .energy import WireEnergy, wire_energies
from .floorplan import Floorplan, make_floorplan
from .lef import read_lef
from .parasitics import spef_text, verilog_text
from .picture import picture_svg
from .placement import place
from .routing import Routed, route
from .tools import Process, layout_tools, osu018
from .wires import WireReport, wire_report

__all__ = ["Layout", "lay_out"]

#: Small gates and Booth multiplier: the smallest layout.
_RECIPE = "small_booth"


@dataclass(slots=True)
class Layout:
    """Everything measured. Later fields are None where a step failed; ``problems`` says why."""

    block: str
    config: str
    library: CellLibrary
    netlist: Netlist
    design: Design
    plan: Floorplan
    routed: Routed
    placement_seconds: float
    picture: Path
    extracted: Extracted | None = None
    match: Match | None = None
    wires: WireReport | None = None
    periods_ps: tuple[float, float] | None = None
    """Shortest period without wires and with the extracted ones."""
    energies: list[WireEnergy] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def utilisation(self) -> float:
        """Cells' area over the core's."""
        return self.design.cell_area_um2 / self.plan.core_area_um2


def lay_out(
    block: str,
    config: ChipConfig,
    output: Path,
    *,
    utilisation: float = 0.8,
    layers: int = 4,
    vectors: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> Layout:
    """Lays out a block on OSU018 into ``output``.

    Parameters
    ----------
    utilisation : float
        cells' area over the core's, above 0 and at most 1
    layers : int
        metal layers to route on, from the lowest
    vectors : int
        cycles of stimulus for the energy in wires; 0 for none

    Raises
    ------
    ValueError
        for an unknown block or a number out of range.
    ToolError
        if a program or the library is missing.
    FlowError
        if a step before the checks fails.
    """
    if block not in BLOCKS:
        raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {block!r}")
    if vectors and vectors < 64:
        raise ValueError(f"vectors must be 0 or at least 64, not {vectors}")
    if not 0.3 <= utilisation <= 1:
        raise ValueError(f"utilisation must be from 0.3 to 1, not {utilisation}")
    layout_tools()
    process, library = osu018(), default_library()
    lef = read_lef(process.lef)
    if not 3 <= layers <= len(lef.layers):
        raise ValueError(f"layers must be from 3 to {len(lef.layers)}, not {layers}")
    output.mkdir(parents=True, exist_ok=True)
    progress(f"{block}: mapping")
    netlist = _mapped(block, config, library, output)
    design = to_design(netlist, lef)
    progress(f"{block}: placing {len(design.parts)} cells")
    start = time.monotonic()
    placement = place(design, lef, process.parameters, output / "place", utilisation)
    placed = time.monotonic() - start
    plan = make_floorplan(design, lef, placement, utilisation)
    progress(f"{block}: routing {len(design.nets)} nets")
    routed = route(design, lef, process.lef, plan, output / "route", layers)
    title = f"{block} of {config.name}"
    picture = output / f"{block}.svg"
    picture.write_text(picture_svg(design, lef, plan, routed.routes, title))
    layout = Layout(block, config.name, library, netlist, design, plan, routed, placed, picture)
    if routed.failed:
        layout.problems.append(f"{len(routed.failed)} nets are not routed")
    progress(f"{block}: checking")
    wires_ff = _check(layout, process, output / "check")
    if vectors and wires_ff:
        progress(f"{block}: energy in wires")
        try:
            layout.energies = wire_energies(
                block, config, netlist, design, library, wires_ff,
                (output / "rtl.v").read_text(), output, vectors,
            )  # fmt: skip
        except FlowError as error:
            layout.problems.append(f"no energy: {error}")
    return layout


def _mapped(block: str, config: ChipConfig, library: CellLibrary, output: Path) -> Netlist:
    source = output / "rtl.v"
    source.write_text(to_verilog(BLOCKS[block].build(config, 4), block).text)
    period = NODES["osu018"].period_ps
    mapped = map_to_cells(source, block, library, RECIPES[_RECIPE], period, output / "map")
    mapped = size_flops(mapped, library)
    return read_netlist(mapped.netlist_json, block, library)


def _check(layout: Layout, process: Process, folder: Path) -> dict[str, float]:
    """Rules, comparison, wires and timing; a step that fails becomes a problem. Returns the
    capacitance of each net's wires, fF, as far as there is one."""
    design, lef = layout.design, read_lef(process.lef)
    try:
        layout.extracted = extract(layout.routed.layout, process.lef, process.tech, folder)
        layout.match = compare(design, lef, layout.extracted.netlist, process.setup, folder)
    except FlowError as error:
        layout.problems.append(str(error))
    if layout.extracted is None:
        return {}
    if layout.extracted.errors:
        layout.problems.append(f"{sum(layout.extracted.errors.values())} design rule violations")
    if layout.match is not None and not layout.match.matches:
        layout.problems.append(f"layout and netlist do not match (log: {layout.match.log})")
    wires_ff: dict[str, float] = {}
    try:
        wires_ff = net_capacitances_ff(layout.extracted.capacitance, design)
        layout.wires = wire_report(
            design, layout.netlist, lef, layout.routed.routes, wires_ff, layout.plan.core_area_um2
        )
        verilog, spef = folder / f"{design.top}.v", folder / f"{design.top}.spef"
        verilog.write_text(verilog_text(design))
        spef.write_text(spef_text(design, wires_ff))
        layout.periods_ps = (
            _period_ps(layout, verilog, folder / "without_wires", None),
            _period_ps(layout, verilog, folder / "with_wires", spef),
        )
    except (FlowError, ToolError) as error:
        layout.problems.append(f"no timing: {error}")
    return wires_ff


def _period_ps(layout: Layout, verilog: Path, folder: Path, spef: Path | None) -> float:
    folder.mkdir(parents=True, exist_ok=True)
    return time_netlist(
        verilog.resolve(), layout.block, layout.library, folder,
        period_ps=NODES["osu018"].period_ps, parasitics=spef.resolve() if spef else None,
    ).period_ps  # fmt: skip
