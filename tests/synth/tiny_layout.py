"""A LEF for the tiny library and a block of four cells, for checks of layouts by hand."""

from pathlib import Path

from tiny_library import write_tiny
from weft.layout.design import Design, to_design
from weft.layout.lef import Lef, read_lef
from weft.layout.placement import Placed, Placement
from weft.synth.library import CellLibrary, load_library
from weft.synth.netlist import Instance, Netlist

_LAYERS = (("metal1", "HORIZONTAL"), ("metal2", "VERTICAL"), ("metal3", "HORIZONTAL"))
#: Cell -> width and the lower left corner of each signal pin's shape, 0.4 µm square.
_CELLS = {
    "FILL": (1, {}),
    "INV": (2, {"A": (0.3, 3.3, "INPUT"), "Y": (1.3, 5.3, "OUTPUT")}),
    "NAND2": (
        3,
        {"A": (0.3, 3.3, "INPUT"), "B": (1.3, 4.3, "INPUT"), "Y": (2.3, 5.3, "OUTPUT")},
    ),
    "DFF": (
        6,
        {"D": (0.3, 3.3, "INPUT"), "CK": (2.3, 4.3, "INPUT"), "Q": (5.3, 5.3, "OUTPUT")},
    ),
}


def _layer(name: str, direction: str) -> str:
    """0.12 fF/µm: 0.1 fF/µm² of 0.2 µm and two edges of 0.05 fF/µm."""
    return (
        f"LAYER {name}\n TYPE ROUTING ;\n DIRECTION {direction} ;\n PITCH 1 ;\n WIDTH 0.2 ;\n"
        f" SPACING 0.2 ;\n CAPACITANCE CPERSQDIST 1e-4 ;\n EDGECAPACITANCE 5e-5 ;\nEND {name}\n"
    )


def _pin(name: str, direction: str, use: str, rect: str) -> str:
    return (
        f" PIN {name}\n  DIRECTION {direction} ;\n{use}  PORT\n   LAYER metal1 ;\n"
        f"    RECT {rect} ;\n  END\n END {name}\n"
    )


def _macro(name: str, width: int, pins: dict[str, tuple[float, float, str]]) -> str:
    text = f"MACRO {name}\n CLASS CORE ;\n SIZE {width} BY 10 ;\n"
    for pin, (x, y, direction) in pins.items():
        use = "  USE CLOCK ;\n" if pin == "CK" else ""
        text += _pin(pin, direction, use, f"{x} {y} {x + 0.4:.1f} {y + 0.4:.1f}")
    text += _pin("gnd", "INOUT", "  USE GROUND ;\n", f"0 -0.3 {width} 0.3")
    text += _pin("vdd", "INOUT", "  USE POWER ;\n", f"0 9.7 {width} 10.3")
    return text + f" OBS\n  LAYER metal1 ;\n   RECT 1 1 1.2 2 ;\n END\nEND {name}\n"


LEF = (
    "VERSION 5.4 ; # of the tests\nUNITS\n DATABASE MICRONS 1000 ;\nEND UNITS\n"
    + "LAYER poly\n TYPE MASTERSLICE ;\nEND poly\n"
    + "".join(_layer(*layer) for layer in _LAYERS)
    + "SITE core\n SIZE 1 BY 10 ;\nEND core\n"
    + "".join(_macro(name, *cell) for name, cell in _CELLS.items())
    + "END LIBRARY\n"
)


def tiny_lef(folder: Path) -> Lef:
    path = folder / "tiny.lef"
    path.write_text(LEF)
    return read_lef(path)


def tiny_netlist(folder: Path) -> Netlist:
    """``q <= !(a[0] & a[1])``, ``y = !q``: nets clk 2, a 3 and 4, nand 5, q 6, y 7."""
    library: CellLibrary = load_library([write_tiny(folder / "tiny.lib")])
    nand = Instance("g1", library.cell("NAND2"), {"A": 3, "B": 4, "Y": 5})
    flop = Instance("g2", library.cell("DFF"), {"D": 5, "CK": 2, "Q": 6})
    invert = Instance("g3", library.cell("INV"), {"A": 6, "Y": 7})
    sinks = {
        3: [(nand, "A")], 4: [(nand, "B")], 5: [(flop, "D")], 2: [(flop, "CK")],
        6: [(invert, "A")],
    }  # fmt: skip
    return Netlist("tiny", 8, {"clk": [2], "a": [3, 4]}, {"y": [7]}, [flop], [nand, invert], sinks)


def tiny_design(folder: Path) -> Design:
    return to_design(tiny_netlist(folder), tiny_lef(folder))


def tiny_placement() -> Placement:
    """Two rows; ports on all four sides of a core of 6 by 20 µm."""
    cells = [
        Placed("g3", 3.0, 1, "FS"),
        Placed("g1", 0.0, 1, "S"),
        Placed("g2", 0.0, 2, "N"),
    ]
    ports = {"clk": (-2.0, 10.0), "a_0": (2.0, -2.0), "a_1": (3.0, -2.0), "y": (8.0, 11.0)}
    return Placement(cells, ports)
