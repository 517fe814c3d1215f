"""Measures the unit-cost table: blocks on libraries, memory macros. Every block that is measured is
kept by content, so that a run that was cut short goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from weft_hw.config import ChipConfig
from weft_hw.presets import preset

from .characterise import DEFAULT_RECIPES, BlockResult, block_verilog, characterise
from .errors import FlowError
from .liberty import parse_group, read_liberty
from .library import CellLibrary
from .memory_model import fit_memories, read_macros
from .nodes import Node
from .recording import RECORDED
from .timing import DEFAULT_MARGIN
from .tools import versions
from .unit_costs import UnitCost

__all__ = ["FULL_NODES", "JOBS", "Job", "collect", "flop_row", "memory_rows"]


@dataclass(frozen=True, slots=True)
class Job:
    """One block at one preset. ``brief`` are the cases measured on nodes that only the ladder
    needs; without any the block is measured on ``FULL_NODES`` alone."""

    block: str
    preset: str
    recipes: tuple[str, ...] = ("fast_booth_kogge",)
    brief: tuple[str, ...] = ()

    @property
    def config(self) -> ChipConfig:
        """With loads of tensors, which larger presets have."""
        return preset(self.preset).replace_tile(tensor_loads=True)


#: Nodes on which every block is measured.
FULL_NODES = ("asap7", "nangate45")
#: All recipes are tried on the int8 PE; the others take the one that was the best of them on ASAP7
#: (least area x period).
JOBS = (
    Job("pe", "base8", DEFAULT_RECIPES,
        ("int8_zeros_held", "int8_random_held", "int8_digits_held", "int4_digits_held")),
    Job("pe_float", "base", brief=("bf16_zeros_held", "bf16_minilm_held")),
    Job("lane", "base8"),
    Job("alu", "base"),
    Job("adder", "base"),
    Job("router", "micro"),
    Job("load", "ecp5"),
    Job("store", "ecp5"),
    Job("streamer", "micro"),
    Job("weights", "micro"),
    Job("frontend", "micro"),
    Job("ingress", "quad"),
    Job("status", "micro"),
    Job("completions", "micro"),
    Job("endpoint", "micro"),
    Job("control", "micro"),
)  # fmt: skip
#: Files whose change makes earlier measurements worth nothing.
_METHOD = (
    "activity", "cells", "delays", "energy", "estimates", "flop_sizing", "float_operands",
    "mapping", "memory_cut", "operands", "stimuli", "tables", "waveforms",
)  # fmt: skip
_PRE_LAYOUT = "gates, pre-layout; low: without wires and clock tree; high: with high estimates"


def collect(
    nodes: Sequence[Node], pdk: Path | None, build: Path, *, blocks: Sequence[str] | None,
    vectors: int, progress: Callable[[str], None], keep: Callable[[list[UnitCost]], None],
) -> list[str]:  # fmt: skip
    """Measures on every library; ``keep`` is called with all rows so far after each block.
    ``blocks``: only these, on every node. Returns what went wrong."""
    rows: list[UnitCost] = []
    problems: list[str] = []
    for node in nodes:
        library = node.load(pdk)
        rows.append(flop_row(library, node))
        for job in JOBS:
            if job.block not in blocks if blocks else not (job.brief or node.name in FULL_NODES):
                continue
            cases = None if blocks or node.name in FULL_NODES else job.brief
            try:
                found, failed = _measured(job, node, library, build, vectors, cases, progress)
            except FlowError as error:
                problems.append(f"{node.name} {job.block}: {error}")
                continue
            rows += found
            problems += [f"{node.name} {job.block}: {problem}" for problem in failed]
            keep(rows)
    return problems


def _measured(
    job: Job, node: Node, library: CellLibrary, build: Path, vectors: int,
    cases: tuple[str, ...] | None, progress: Callable[[str], None],
) -> tuple[list[UnitCost], list[str]]:  # fmt: skip
    config = job.config
    rtl = hashlib.sha256(block_verilog(job.block, config, 1).encode()).hexdigest()
    content = [
        _method(job.block), rtl, library.sha256, versions(), node.period_ps, DEFAULT_MARGIN,
        vectors, cases, asdict(job),
    ]  # fmt: skip
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    kept = build / "results" / f"{node.name}_{job.block}_{key}.json"
    if kept.is_file():
        data = json.loads(kept.read_text())
        return [UnitCost(**row) for row in data["rows"]], data["problems"]
    result = characterise(
        job.block, config, library, build, target_ps=node.period_ps, vectors=vectors,
        recipes=job.recipes, cases=cases, cols=1, progress=progress,
    )  # fmt: skip
    rows = list(_rows_of(result, node, rtl))
    if not result.problems:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps({"rows": [asdict(row) for row in rows], "problems": []}))
        part.rename(kept)
    return rows, result.problems


def _method(block: str) -> str:
    names = [*_METHOD, *(["recording"] if block in RECORDED else [])]
    texts = ((Path(__file__).parent / f"{name}.py").read_text() for name in names)
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def _rows_of(result: BlockResult, node: Node, rtl: str) -> Iterable[UnitCost]:
    sha, tools = result.library.sha256, "; ".join(f"{k} {v}" for k, v in versions().items())
    what = f"weft synth --block {result.block} --preset {result.config} (RTL {rtl[:8]})"

    def row(key: str, value: float, low: float, high: float, unit: str, source: str) -> UnitCost:
        name = f"synth.{node.name}.{result.block}.{key}"
        return UnitCost(
            name, value, low, high, unit, "measured", f"{what}: {source}", node.name, sha, tools
        )

    mapped = result.mapped
    area = mapped.area_um2
    yield row(
        "area_um2", area / 0.7, area / 0.8, area / 0.6, "um2",
        f"cell area {area:.2f} at 70 % (60 to 80 %) utilisation, recipe {mapped.recipe.name}",
    )  # fmt: skip
    if mapped.memory_bits:
        bits = float(mapped.memory_bits)
        yield row("memory_bits", bits, bits, bits, "bit", "in macros, not in the area")
    if result.timing:
        fastest = result.timing.fastest_ghz
        owners = " -> ".join(result.path_owners)
        yield row(
            "frequency_ghz", fastest * (1 - result.margin), fastest * 0.6, fastest, "GHz",
            f"OpenSTA {result.timing.period_ps:.1f} ps ({owners}), "
            f"{100 * result.margin:.0f} % margin (low 40 %, high none)",
        )  # fmt: skip
    if result.leakage_nw is not None:
        leak = result.leakage_nw
        yield row("leakage_nw", leak, leak / 2, leak * 3, "nW", "mean of states, 25 C")
    for point in result.energy:
        report, operations = point.report, point.operations_per_cycle
        low = report.total_fj / operations
        high = low + (report.wires_fj["high"] + report.clock_tree_fj["high"]) / operations
        yield row(
            f"energy_fj.{point.case.key}", point.with_estimates_fj, low, high, "fJ",
            f"{point.case.label}, {report.cycles} cycles; {_PRE_LAYOUT}",
        )  # fmt: skip
        if result.block in RECORDED:
            yield row(
                f"bytes_per_cycle.{point.case.key}", operations, operations, operations, "byte",
                "moved in the cycles of that case",
            )  # fmt: skip


#: Node -> the largest macro of its folder, of which only the area counts.
_MACROS = {"nangate45": "nangate45/fakeram45_2048x39.lib", "asap7": "asap7/fakeram7_2048x39.lib"}


def _macro_density(pdk: Path) -> list[UnitCost]:
    rows = []
    for node, name in _MACROS.items():
        path = pdk / name
        if not path.is_file():
            continue
        file = read_liberty(path)
        cell = parse_group(next(iter(file.cells.values())), str(path))
        words, width = map(int, re.findall(r"(\d+)x(\d+)", path.stem)[-1])
        bit = float(cell.attributes["area"]) / (words * width)
        rows.append(
            UnitCost(
                f"synth.{node}.sram.area_um2_per_bit", bit, bit * 0.8, bit * 1.5, "um2/bit",
                "modelled", f"area of the black-box macro {path.stem}; range assumed", node,
                file.sha256, "weft.synth.collect",
            )
        )  # fmt: skip
    return rows


def flop_row(library: CellLibrary, node: Node) -> UnitCost:
    """Area of the smallest flip-flop of a library, at the utilisation of the other areas."""
    avoid = set(library.dont_use)
    names = [n for n in library.cell_names if n not in avoid and library.has_flip_flop(n)]
    area, name = min((library.cell(n).area_um2, n) for n in names)
    return UnitCost(
        f"synth.{node.name}.flop.area_um2", area / 0.7, area / 0.8, area / 0.6, "um2", "measured",
        f"cell {name} of {area:.4g} um2 at 70 % (60 to 80 %) utilisation", node.name,
        library.sha256, "weft.synth.collect",
    )  # fmt: skip


def memory_rows(pdk: Path) -> list[UnitCost]:
    """Rows of the memory model fitted to the macros of a folder of libraries; none without
    macros."""
    macros = read_macros(sorted((pdk / "ihp-sg13g2").glob("RM_IHPSG13_1P_*.lib*")))
    if not macros:
        return []
    fit = fit_memories(macros)
    sha = ",".join(macro.sha256[:8] for macro in macros)
    rows = []

    def row(key: str, value: float, error: float, unit: str, what: str) -> None:
        source = f"fit to {len(macros)} IHP macros with power, {what}; range: error of one left out"
        low, high = value * (1 - error), value * (1 + error)
        rows.append(
            UnitCost(
                f"synth.ihp130.{key}", value, low, high, unit, "modelled", source, "ihp130", sha,
                "weft.synth.memory_model",
            )
        )  # fmt: skip

    for name, words, width in (("8_kib", 1024, 64), ("4_kib_row", 256, 128)):
        for kind, value in (
            ("read", fit.read_pj(words, width)),
            ("write", fit.write_pj(words, width)),
        ):
            per_byte = value / (width / 8)
            error = fit.left_out_error[kind]
            row(f"sram_{name}.{kind}_pj_per_byte", per_byte, error, "pJ/byte", f"{words} x {width}")
    bit = fit.area_um2(2048, 64) / (2048 * 64)
    row("sram.area_um2_per_bit", bit, fit.left_out_error["area"], "um2/bit", "2048 x 64")
    rows += _macro_density(pdk)
    row("sram.leakage_nw_per_bit", fit.leakage_nw_per_bit, 0.5, "nW/bit", "median of macros")
    return rows
