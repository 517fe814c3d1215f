"""Characterises a block on a cell library: cells, area, critical path, frequency, leakage, energy
per operation.

What fails after the mapping is recorded in ``problems`` and the rest is kept: a library without
power tables still gives timing.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from weft_hw.config import ChipConfig
from weft_hw.verilog import to_verilog

from .activity import GateBench
from .blocks import BLOCKS, Block
from .energy import EnergyReport
from .errors import FlowError, LibertyError, ToolError
from .flop_sizing import size_flops
from .library import CellLibrary
from .mapping import RECIPES, Mapped, Recipe, map_to_cells
from .netlist import Netlist, read_netlist
from .owners import owner_of
from .recording import RECORDED
from .stimuli import STIMULI, Case
from .timing import DEFAULT_MARGIN, Timing, time_netlist
from .tools import versions

__all__ = ["BlockResult", "EnergyPoint", "block_verilog", "characterise"]

#: Recipes tried when none is named.
DEFAULT_RECIPES = ("small_booth", "quick_booth_kogge", "fast_booth_kogge")
#: What to keep of the recipes tried: least area x period, the shortest period or the least area.
GOALS = ("balanced", "fast", "small")


@dataclass(frozen=True, slots=True)
class EnergyPoint:
    """Energy of one case. ``per_operation_fj`` has clock pins and leakage in it, estimates not."""

    case: Case
    operations_per_cycle: float
    report: EnergyReport

    @property
    def per_operation_fj(self) -> float:
        return self.report.total_fj / self.operations_per_cycle

    @property
    def with_estimates_fj(self) -> float:
        """Per operation, with the estimates of wires and clock tree."""
        return self.report.with_estimates_fj / self.operations_per_cycle


@dataclass(slots=True)
class BlockResult:
    """Everything measured of one block on one library. Fields are None where a step failed;
    ``problems`` says why."""

    block: str
    config: str
    library: CellLibrary
    margin: float
    mapped: Mapped
    timing: Timing | None = None
    leakage_nw: float | None = None
    flops: int | None = None
    energy: list[EnergyPoint] = field(default_factory=list)
    tried: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    """Recipe -> (area µm², period ps or None)."""
    problems: list[str] = field(default_factory=list)

    @property
    def frequency_ghz(self) -> float | None:
        """At the margin."""
        return self.timing.frequency_ghz(self.margin) if self.timing else None

    @property
    def path_owners(self) -> tuple[str, str]:
        """Registers or ports at the ends of the critical path, by their names in the RTL."""
        if self.timing is None:
            return "", ""
        start, end = (
            owner_of(self.mapped.netlist_json, self.mapped.top, name)
            for name in (self.timing.startpoint, self.timing.endpoint)
        )
        return start, end

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers carry their unit in the name."""
        timing, block = self.timing, BLOCKS[self.block]
        result: dict[str, Any] = {
            "block": self.block,
            "config": self.config,
            "library": self.library.name,
            "library_sha256": self.library.sha256,
            "liberty_files": {str(file.path.name): file.sha256 for file in self.library.files},
            "voltage_v": self.library.voltage_v,
            "tools": versions(),
            "recipe": self.mapped.recipe.name,
            "recipes_tried": {
                name: {"area_um2": area, "period_ps": period}
                for name, (area, period) in self.tried.items()
            },
            "cells": sum(self.mapped.cells.values()),
            "cells_by_type": self.mapped.cells,
            "flip_flops": self.flops,
            "area_um2": self.mapped.area_um2,
            "leakage_nw": self.leakage_nw,
            "operation": block.operation,
            "problems": self.problems,
        }
        if timing:
            result |= {
                "period_ps": timing.period_ps,
                "fastest_ghz": timing.fastest_ghz,
                "margin": self.margin,
                "frequency_ghz": self.frequency_ghz,
                "critical_path": {
                    "from": self.path_owners[0],
                    "to": self.path_owners[1],
                    "steps": [[s.time_ps, s.pin, s.cell] for s in timing.steps],
                },
                "opensta_power_w_at_default_activity": timing.opensta_power_w,
            }
        result["energy"] = [
            {
                "case": point.case.label,
                "operations_per_cycle": point.operations_per_cycle,
                "per_operation_fj": point.per_operation_fj,
                "per_operation_with_wire_and_tree_estimates_fj": point.with_estimates_fj,
                "per_cycle": point.report.as_dict(),
            }
            for point in self.energy
        ]
        return result


@cache
def block_verilog(block: str, config: ChipConfig, cols: int) -> str:
    """The block's Verilog."""
    return to_verilog(BLOCKS[block].build(config, cols), block).text


def characterise(
    block: str,
    config: ChipConfig,
    library: CellLibrary,
    build: Path,
    *,
    target_ps: float,
    margin: float = DEFAULT_MARGIN,
    recipes: Sequence[str] = DEFAULT_RECIPES,
    goal: str = "balanced",
    cols: int = 4,
    vectors: int = 1024,
    with_energy: bool = True,
    cases: Container[str] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> BlockResult:
    """Maps ``block`` by each recipe, keeps the best by ``goal``, and measures it.

    Parameters
    ----------
    build : Path
        where intermediate files and simulations are kept
    target_ps : float
        period that gates are sized for
    vectors : int
        cycles of stimulus whose energy is averaged
    cases : container of str, optional
        keys of the cases to measure; all

    Raises
    ------
    ValueError
        for an unknown block or recipe, or a library that cannot be used.
    FlowError
        if no recipe maps.
    """
    if block not in BLOCKS:
        raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {block!r}")
    if goal not in GOALS:
        raise ValueError(f"goal must be one of {', '.join(GOALS)}, not {goal!r}")
    for name in recipes:
        if name not in RECIPES:
            raise ValueError(f"recipe must be among {', '.join(RECIPES)}, not {name!r}")
    home = build / library.name / f"{block}_{config.name}"
    home.mkdir(parents=True, exist_ok=True)
    progress(f"{library.name} {block}: generating")
    rtl = block_verilog(block, config, cols)
    source = home / "rtl.v"
    source.write_text(rtl)
    tried: dict[str, tuple[float, float | None]] = {}
    problems: list[str] = []
    best: tuple[Mapped, Timing | None] | None = None
    for name in recipes:
        progress(f"{library.name} {block}: mapping ({name})")
        mapped, timing = _map_and_time(
            source, BLOCKS[block], library, RECIPES[name], target_ps, home / name, problems
        )
        tried[name] = (mapped.area_um2, timing.period_ps if timing else None)
        if best is None or _cost(goal, mapped, timing) < _cost(goal, *best):
            best = (mapped, timing)
    assert best is not None
    result = BlockResult(block, config.name, library, margin, *best, tried=tried, problems=problems)
    try:
        netlist = read_netlist(result.mapped.netlist_json, block, library)
    except (FlowError, LibertyError) as error:
        problems.append(str(error))
        return result
    result.leakage_nw = sum(instance.cell.leakage_nw for instance in netlist.instances)
    result.flops = len(netlist.flops)
    if with_energy and block in STIMULI | RECORDED:
        _measure_energy(result, netlist, config, rtl, home, build, cols, vectors, cases, progress)
    return result


def _cost(goal: str, mapped: Mapped, timing: Timing | None) -> float:
    period = timing.period_ps if timing else float("inf")
    if goal == "fast":
        return period
    return mapped.area_um2 * (period if goal == "balanced" and timing else 1.0)


def _map_and_time(
    source: Path, block: Block, library: CellLibrary, recipe: Recipe, target_ps: float,
    folder: Path, problems: list[str],
) -> tuple[Mapped, Timing | None]:  # fmt: skip
    mapped = map_to_cells(source, block.name, library, recipe, target_ps, folder, block.cut_bits)
    try:
        mapped = size_flops(mapped, library)
        timing = time_netlist(mapped.verilog, block.name, library, folder, period_ps=target_ps)
        return mapped, timing
    except (FlowError, LibertyError, ToolError) as error:
        if str(error) not in problems:
            problems.append(f"no timing: {error}")
        return mapped, None


def _measure_energy(
    result: BlockResult, netlist: Netlist, config: ChipConfig, rtl: str, home: Path, build: Path,
    cols: int, vectors: int, wanted: Container[str] | None, progress: Callable[[str], None],
) -> None:  # fmt: skip
    library = result.library
    if not library.has_power:
        result.problems.append(
            f"no energy: library {library.name} has no internal_power tables; "
            "timing and area are kept"
        )
        return
    memories = result.mapped.memories
    bench = GateBench(netlist, library, rtl, home, build / "simulations", memories)
    period = result.timing.period_ps / (1 - result.margin) if result.timing else 0.0
    cases, stimulus_of = (STIMULI | RECORDED)[result.block]
    for case in cases:
        if wanted is not None and case.key not in wanted:
            continue
        progress(f"{library.name} {result.block}: energy of {case.label}")
        try:
            stimulus = stimulus_of(config, cols, case, vectors)
        except ImportError as error:
            result.problems.append(f"no energy of {case.label}: {error}")
            continue
        report = bench.energy(stimulus.values, stimulus.warm_up, period)
        result.energy.append(EnergyPoint(case, stimulus.operations, report))
