"""Measures the unit-cost table: blocks on libraries, memory macros. Every block that is measured is
kept by content, so that a run that was cut short goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from weft_hw.config import ChipConfig
from weft_hw.presets import preset

from .characterise import DEFAULT_RECIPES, BlockResult, block_verilog, characterise
from .errors import FlowError
from .library import CellLibrary
from .library_rows import flop_row
from .nodes import Node
from .processes import run_pieces
from .recording import RECORDED, UNITS
from .timing import DEFAULT_MARGIN
from .tools import versions
from .unit_costs import UnitCost

__all__ = ["FULL_NODES", "JOBS", "Job", "collect"]


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
    "gate_verilog", "internal_energy", "mapping", "memory_cut", "operands", "power_up", "stimuli",
    "tables", "waveforms",
)  # fmt: skip
_PRE_LAYOUT = "gates, pre-layout; low: without wires and clock tree; high: with high estimates"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A job on a library. ``kept``: where its rows are once they are whole."""

    job: Job
    node: Node
    library: CellLibrary
    cases: tuple[str, ...] | None
    rtl: str
    kept: Path

    @property
    def name(self) -> str:
        return f"{self.node.name} {self.job.block}"


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows and problems of a piece, and the seconds of processor time that it took, those of the
    programs it ran included."""

    rows: list[UnitCost]
    problems: list[str]
    cpu_s: float


def collect(
    nodes: Sequence[Node], pdk: Path | None, build: Path, *, blocks: Sequence[str] | None,
    vectors: int, progress: Callable[[str], None], keep: Callable[[list[UnitCost]], None],
    report: Callable[[str], None] = lambda text: None, processes: int = 1,
) -> list[str]:  # fmt: skip
    """Measures on every library, on several ``processes``; ``keep`` is called with all rows so far
    after each block, ``report`` with a line about it. ``blocks``: only these, on every node.
    Returns what went wrong."""
    flops: dict[str, UnitCost] = {}
    pieces: list[_Piece] = []
    for node in nodes:
        progress(f"{node.name}: reading the library")
        library = node.load(pdk)
        flops[node.name] = flop_row(library, node)
        for job in JOBS:
            if job.block not in blocks if blocks else not (job.brief or node.name in FULL_NODES):
                continue
            cases = None if blocks or node.name in FULL_NODES else job.brief
            pieces.append(_piece(job, node, library, build, vectors, cases))

    def measured(piece: _Piece, say: Callable[[str], None]) -> _Found:
        return _measured(piece, build, vectors, say)

    found: dict[int, _Found] = {}
    for index, result in run_pieces(measured, pieces, processes, progress):
        found[index] = result
        # the order of the table is that of the pieces, whichever ends first
        done = sorted(found)
        before = {pieces[n].node.name for n in done}
        rows = [flops[node.name] for node in nodes if node.name in before]
        if result.rows:
            keep([*rows, *(row for n in done for row in found[n].rows)])
        missing = ", incomplete" if result.problems else ""
        total_s = sum(item.cpu_s for item in found.values())
        report(
            f"{len(found)} of {len(pieces)}: {pieces[index].name}{missing}, {result.cpu_s:.0f} s "
            f"of processor time ({total_s:.0f} s in all)"
        )
    return [f"{pieces[n].name}: {what}" for n in sorted(found) for what in found[n].problems]


def _piece(
    job: Job, node: Node, library: CellLibrary, build: Path, vectors: int,
    cases: tuple[str, ...] | None,
) -> _Piece:  # fmt: skip
    rtl = hashlib.sha256(block_verilog(job.block, job.config, 1).encode()).hexdigest()
    content = [
        _method(job.block), rtl, library.sha256, versions(), node.period_ps, DEFAULT_MARGIN,
        vectors, cases, asdict(job),
    ]  # fmt: skip
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    kept = build / "results" / f"{node.name}_{job.block}_{key}.json"
    return _Piece(job, node, library, cases, rtl, kept)


def _measured(piece: _Piece, build: Path, vectors: int, say: Callable[[str], None]) -> _Found:
    """What a piece gives; that of an earlier run if it is whole."""
    job, node, kept = piece.job, piece.node, piece.kept
    if kept.is_file():
        data = json.loads(kept.read_text())
        return _Found([UnitCost(**row) for row in data["rows"]], [], data["cpu_s"])
    before_s = _cpu_s()
    try:
        result = characterise(
            job.block, job.config, piece.library, build, target_ps=node.period_ps,
            vectors=vectors, recipes=job.recipes, cases=piece.cases, cols=1, progress=say,
        )  # fmt: skip
    except FlowError as error:
        return _Found([], [str(error)], _cpu_s() - before_s)
    found = _Found(list(_rows_of(result, node, piece.rtl)), result.problems, _cpu_s() - before_s)
    if not result.problems:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(asdict(found)))
        part.rename(kept)
    return found


def _cpu_s() -> float:
    """Of this process and the programs that it has run to their end."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _method(block: str) -> str:
    names = [*_METHOD, *(["recording", "chip_simulator"] if block in RECORDED else [])]
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
            unit = UNITS[result.block]
            yield row(
                f"{unit}s_per_cycle.{point.case.key}", operations, operations, operations, unit,
                "in the cycles of that case",
            )  # fmt: skip
