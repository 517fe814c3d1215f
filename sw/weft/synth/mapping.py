"""Technology mapping: Verilog to cells of a library, by Yosys in a process of its own.

The recipe says how: Booth or array multipliers, the structure of adders, how hard to work on speed.
``RECIPES`` are tried
and the fastest (or the smallest that meets a period) is kept; which one wins is a measurement,
printed with the result.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import FlowError
from .library import CellLibrary
from .tools import run, yosys_installed

__all__ = ["RECIPES", "Mapped", "Recipe", "map_to_cells"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """``adder`` names a map of Yosys' ``choices`` (kogge-stone, han-carlson, sklansky) or is empty
    for Brent-Kung, Yosys' default."""

    name: str
    booth: bool = False
    adder: str = ""
    speed: str = "plain"


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("plain"),
        Recipe("small", speed="sized"),
        Recipe("small_booth", booth=True, speed="sized"),
        Recipe("quick_booth", booth=True, speed="quick"),
        Recipe("quick_booth_kogge", booth=True, adder="kogge-stone", speed="quick"),
        Recipe("fast", speed="fast"),
        Recipe("fast_booth_kogge", booth=True, adder="kogge-stone", speed="fast"),
    )
}

_BEFORE = ("strash", "ifraig", "scorr", "dc2", "strash")
_AFTER = (
    "topo", "buffer -c -N {fanout}", "topo", "upsize -c -D {period}", "dnsize -c -D {period}",
    "stime -p",
)  # fmt: skip
#: ABC scripts. "sized": mapped for area under balanced depth (&nf). "quick": mapped for delay.
#: "fast": restructured through 6-input tables
#: first, then mapped for delay. All are buffered and sized to the period. Measured on the int8 PE,
#: ASAP7: 560, 496 and 447 ps.
_ABC = {
    "sized": (*_BEFORE, "&get -n", "&st", "&dch", "&nf", "&put", *_AFTER),
    "quick": (*_BEFORE, "&get -n", "&st", "&dch", "&put", "map -B 0.9", *_AFTER),
    "fast": (*_BEFORE, "if -g -K 6 -C 8", "strash", "dch -f", "map -B 0.9", *_AFTER),
}

#: Loads a cell drives before it is buffered.
_FANOUT = 12

_PROGRAM = """
import sys
from pyosys import libyosys as ys
from weft.synth.memory_cut import cut_memories
design = ys.Design()
for command in open(sys.argv[1]).read().splitlines():
    if command.startswith("cut_memories "):
        _, bits, path = command.split(maxsplit=2)
        print("memories cut:", cut_memories(design, int(bits), path), "bits", flush=True)
    else:
        ys.run_pass(command, design)
"""

#: Commands that cut memories out, before ``synth``. Initial values do not exist in silicon.
_CUT = ("proc", "setattr -unset init */w:*", "flatten", "opt", "memory -nomap")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapped netlist."""

    top: str
    recipe: Recipe
    verilog: Path
    netlist_json: Path
    cells: dict[str, int]
    """type -> count"""
    area_um2: float
    abc_delay_ps: float | None
    memory_bits: int = 0
    """In memories that were left out (``cut_bits``)."""
    memories: Path | None = None
    """Verilog of those (``memory_cut``)."""


def map_to_cells(
    verilog: Path,
    top: str,
    library: CellLibrary,
    recipe: Recipe,
    period_ps: float,
    folder: Path,
    cut_bits: int = 0,
) -> Mapped:
    """Maps ``top`` of a Verilog file, flattened. With ``cut_bits``, memories of at least so many
    bits become ports: they are macros and no cells.

    Raises
    ------
    FlowError
        if Yosys stops or a cell could not be mapped.
    ToolError
        if Yosys is missing.
    """
    yosys_installed()
    folder.mkdir(parents=True, exist_ok=True)
    files = library.plain_files(folder.parent.parent / "plain")
    liberty = " ".join(f"-liberty {path}" for path in files)
    avoid = " ".join(f"-dont_use {name}" for name in library.dont_use)
    output, netlist, stat, memories = (
        folder / f"{top}.{end}" for end in ("mapped.v", "json", "stat.json", "memories.v")
    )
    memories.unlink(missing_ok=True)
    script = ""
    if recipe.speed != "plain":
        abc = folder / "recipe.abc"
        lines = [line.format(period=period_ps, fanout=_FANOUT) for line in _ABC[recipe.speed]]
        abc.write_text("\n".join(lines) + "\n")
        script = f"-script {abc} {_driver(library, folder)}"
    synth = f"synth -top {top} -flatten -noabc"
    synth += " -booth" * recipe.booth
    synth += f" -extra-map +/choices/{recipe.adder}.v" * bool(recipe.adder)
    commands = [
        f"read_verilog -sv {verilog}",
        f"hierarchy -check -top {top}",
        "delete */t:$print */t:$check */t:$assert",
        *((*_CUT, f"cut_memories {cut_bits} {memories}", "opt -full") if cut_bits else ()),
        synth,
        f"dfflibmap {liberty} {avoid}",
        "opt -full",
        # sharing gates leaves word-level multiplexers
        "simplemap",
        f"abc {liberty} {avoid} {script}",
        "setundef -zero",
        "opt_clean",
        "delete t:$scopeinfo",
        *_constants(library, folder),
        # public names, so that both netlists name their instances alike
        "rename -enumerate -pattern g%",
        f"tee -q -o {stat} stat -json {liberty}",
        f"write_verilog -noattr -noexpr {output}",
        f"write_json {netlist}",
    ]
    program = folder / "map.ys"
    program.write_text("\n".join(commands) + "\n")
    log = run(
        [sys.executable, "-c", _PROGRAM, str(program)], folder / "map.log", f"Yosys, mapping {top},"
    )
    text = stat.read_text()
    module = json.loads(text[text.index("{") :])["modules"][f"\\{top}"]
    cells = {name: int(count) for name, count in module["num_cells_by_type"].items()}
    unmapped = sorted(name for name in cells if name.startswith("$"))
    if unmapped:
        raise FlowError(
            f"library {library.name} has no cells for {', '.join(unmapped)} of {top} "
            f"(log: {folder / 'map.log'})"
        )
    delay = re.findall(r"Delay\s*=\s*([\d.]+)\s*ps", log)
    return Mapped(
        top=top,
        recipe=recipe,
        verilog=output,
        netlist_json=netlist,
        cells=dict(sorted(cells.items())),
        area_um2=float(module["area"]),
        abc_delay_ps=float(delay[-1]) if delay else None,
        memory_bits=sum(map(int, re.findall(r"^memories cut: (\d+) bits", log, re.MULTILINE))),
        memories=memories if memories.is_file() else None,
    )


def _driver(library: CellLibrary, folder: Path) -> str:
    """Inputs of the logic are driven by a buffer of middle size and outputs load by another, not
    ideal: without that, loads on flip-flops
    would be free."""
    buffers = []
    for name in library.cell_names:
        if "buf" not in name.lower() or name in library.dont_use:
            continue
        cell = library.cell(name)
        if (
            len(cell.inputs) == 1
            and len(cell.outputs) == 1
            and cell.outputs[0].function is not None
        ):
            if cell.outputs[0].function == ("pin", cell.inputs[0].name):
                buffers.append((cell.area_um2, name, cell.inputs[0].capacitance_ff))
    if not buffers:
        return ""
    _, name, load_ff = sorted(buffers)[min(1, len(buffers) - 1)]
    path = folder / "driver.constr"
    path.write_text(f"set_driving_cell {name}\nset_load {load_ff:.6f} [all_outputs]\n")
    return f"-constr {path}"


def _constants(library: CellLibrary, folder: Path) -> list[str]:
    """Constant outputs need a tie cell, if the library has them."""
    found: dict[int, tuple[str, str]] = {}
    for name in library.cell_names:
        lowered = name.lower()
        if not any(word in lowered for word in ("tie", "logic", "conb")):
            continue
        for pin in library.cell(name).outputs:
            if pin.function is not None and pin.function[0] == "const":
                found.setdefault(pin.function[1], (name, pin.name))
    if set(found) != {0, 1}:
        return []
    high, low = found[1], found[0]
    return [f"hilomap -singleton -hicell {high[0]} {high[1]} -locell {low[0]} {low[1]}"]
