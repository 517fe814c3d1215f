"""The unit-cost table: measured and published costs, each with range, source or measurement,
library and tools.

``collect`` measures what the libraries at hand allow; ``write`` makes the CSV that is kept as data;
``read`` gives it back.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from importlib.resources import files
from pathlib import Path

from weft_hw.config import ChipConfig

from .characterise import BlockResult, characterise
from .memory_model import fit_memories, read_macros
from .nodes import Node
from .tools import versions

__all__ = ["UnitCost", "collect", "default_table", "read_table", "write_table"]


@dataclass(frozen=True, slots=True)
class UnitCost:
    """One row. ``kind`` is measured (gates, pre-layout), modelled (fit or estimate) or
    published."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    kind: str
    source: str
    library: str
    library_sha256: str
    tools: str


_FIELDS = tuple(field.name for field in fields(UnitCost))
_PRE_LAYOUT = "gates, pre-layout; low: without wires and clock tree; high: with high estimates"


def _rows_of(result: BlockResult, node: Node) -> Iterable[UnitCost]:
    sha, tools = result.library.sha256, "; ".join(f"{k} {v}" for k, v in versions().items())

    def row(
        key: str, value: float, low: float, high: float, unit: str, source: str, kind: str
    ) -> UnitCost:
        name = f"synth.{node.name}.{result.block}.{key}"
        return UnitCost(name, value, low, high, unit, kind, source, node.name, sha, tools)

    what = f"weft synth --block {result.block} --preset {result.config}"
    area = result.mapped.area_um2
    yield row(
        "area_um2", area / 0.7, area / 0.8, area / 0.6, "um2",
        f"{what}: cell area {area:.2f} at 70 % (60 to 80 %) utilisation, "
        f"recipe {result.mapped.recipe.name}", "measured",
    )  # fmt: skip
    if result.timing:
        fastest = result.timing.fastest_ghz
        yield row(
            "frequency_ghz", fastest * (1 - result.margin), fastest * 0.6, fastest, "GHz",
            f"{what}: OpenSTA {result.timing.period_ps:.1f} ps, {100 * result.margin:.0f} % "
            "margin (low 40 %, high none)", "measured",
        )  # fmt: skip
    if result.leakage_nw is not None:
        leak = result.leakage_nw
        yield row(
            "leakage_nw",
            leak,
            leak / 2,
            leak * 3,
            "nW",
            f"{what}: mean of states, 25 C",
            "measured",
        )
    for point in result.energy:
        report, operations = point.report, point.operations_per_cycle
        low = report.total_fj / operations
        high = low + (report.wires_fj["high"] + report.clock_tree_fj["high"]) / operations
        case = f"{point.case.source}_{point.case.reuse}" if point.case.reuse else point.case.source
        yield row(
            f"energy_fj.{case}", point.with_estimates_fj, low, high, "fJ",
            f"{what}: {point.case.label}, {report.cycles} cycles; {_PRE_LAYOUT}", "measured",
        )  # fmt: skip


def _memory_rows(pdk: Path) -> Iterable[UnitCost]:
    macros = read_macros(sorted((pdk / "ihp-sg13g2").glob("RM_IHPSG13_1P_*.lib*")))
    if not macros:
        return
    fit = fit_memories(macros)
    sha = ",".join(macro.sha256[:8] for macro in macros)
    for name, words, width in (("8_kib", 1024, 64), ("4_kib_row", 256, 128)):
        for kind, value in (
            ("read", fit.read_pj(words, width)),
            ("write", fit.write_pj(words, width)),
        ):
            error = fit.left_out_error[kind]
            yield UnitCost(
                f"synth.ihp130.sram_{name}.{kind}_pj_per_byte", value / (width / 8),
                value * (1 - error) / (width / 8), value * (1 + error) / (width / 8), "pJ/byte",
                "modelled",
                f"fit to {len(macros)} IHP macros with power, {words} x {width}; "
                "range: error of a macro left out",
                "ihp130", sha, "weft.synth.memory_model",
            )  # fmt: skip
    bit = fit.area_um2(2048, 64) / (2048 * 64)
    error = fit.left_out_error["area"]
    yield UnitCost(
        "synth.ihp130.sram.area_um2_per_bit", bit, bit * (1 - error), bit * (1 + error), "um2/bit",
        "modelled",
        f"fit to {len(macros)} IHP macros, 2048 x 64", "ihp130", sha, "weft.synth.memory_model",
    )  # fmt: skip


def collect(
    nodes: Sequence[Node], pdk: Path | None, config: ChipConfig, build: Path, *, blocks:
    Sequence[str],
    vectors: int, recipes: Sequence[str], progress: Callable[[str], None],
) -> tuple[list[UnitCost], list[str]]:  # fmt: skip
    """Measures ``blocks`` on every library. Returns rows and what went wrong."""
    rows: list[UnitCost] = []
    problems: list[str] = []
    for node in nodes:
        library = node.load(pdk)
        for block in blocks:
            result = characterise(
                block,
                config,
                library,
                build,
                target_ps=node.period_ps,
                vectors=vectors,
                recipes=recipes,
                progress=progress,
            )
            rows += _rows_of(result, node)
            problems += [f"{node.name} {block}: {problem}" for problem in result.problems]
    if pdk is not None:
        rows += _memory_rows(pdk)
    return rows, problems


def write_table(rows: Iterable[UnitCost], path: Path) -> None:
    """Writes the table; numbers to four significant digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_FIELDS)
        for row in rows:
            writer.writerow([f"{v:.4g}" if isinstance(v, float) else v for v in astuple(row)])


def read_table(path: Path) -> dict[str, UnitCost]:
    """The table by key.

    Raises
    ------
    ValueError
        naming file and line, for unknown or missing columns or a number that is none.
    """
    with path.open(newline="") as source:
        reader = csv.DictReader(source)
        if tuple(reader.fieldnames or ()) != _FIELDS:
            raise ValueError(
                f"{path}:1: columns must be {', '.join(_FIELDS)}, not {reader.fieldnames}"
            )
        table = {}
        for line, entry in enumerate(reader, start=2):
            try:
                numbers = {name: float(entry[name]) for name in ("value", "low", "high")}
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}:{line}: value, low and high must be numbers") from error
            row = UnitCost(**{**entry, **numbers})  # type: ignore[arg-type]
            if not row.low <= row.value <= row.high:
                raise ValueError(f"{path}:{line}: {row.key} must lie between low and high")
            table[row.key] = row
    return table


def default_table() -> dict[str, UnitCost]:
    """The table that comes with the project.

    Raises
    ------
    ValueError
        if it is damaged.
    """
    return read_table(Path(str(files("weft") / "data" / "unit_costs.csv")))
