"""DSP blocks: which registers go in, that operands move up, that nothing else changes (proved by
Yosys), and where the blocks of a design go."""

import json
import re
import subprocess
import sys

import pytest
from weft.fpga.dsp_operands import align_operands
from weft.fpga.dsp_registers import pack_dsp_registers
from weft.fpga.floorplan import place_blocks

#: What a MULT18X18D is here: no input registers, an output register or none.
#: Source: Lattice FPGA-DS-02012, sysDSP slice.
BLOCK = """
module MULT18X18D #(parameter REG_OUTPUT_CLK = "NONE", parameter REG_OUTPUT_CE = "CE0",
                    parameter REG_OUTPUT_RST = "RST0") (
{inputs}
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
    output {outputs});
  wire [17:0] a = {{{a}}};
  wire [17:0] b = {{{b}}};
  wire signed [18:0] wide_a = {{SIGNEDA & a[17], a}};
  wire signed [18:0] wide_b = {{SIGNEDB & b[17], b}};
  wire signed [37:0] product = wide_a * wide_b;
  reg [35:0] kept;
  always @(posedge CLK0) if (RST0) kept <= 0; else if (CE0) kept <= product[35:0];
  wire [35:0] p = REG_OUTPUT_CLK == "CLK0" ? kept : product[35:0];
  assign {{{p}}} = p;
endmodule
"""

TOP = """
module top(input clk, input en, input rst, input signed [4:0] a, b, c, d,
           output reg signed [9:0] o{declared});
  always @(posedge clk) {body}
endmodule
"""

#: Name -> (further ports, what happens at the clock, whether the register goes in)
CASES = {
    "plain": ("", "o <= a * b;", True),
    "enabled": ("", "if (en) o <= a * b;", False),
    "reset": ("", "if (rst) o <= 0; else o <= a * b;", False),
    "also read": (", output signed [9:0] now", "o <= now;", False),
    "two": (", output reg signed [9:0] q", "begin o <= a * b; q <= c * d; end", True),
    "in turn": (", output reg signed [9:0] q", "begin q <= a * b; o <= q + c; end", True),
}

SCRIPT = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for command in sys.argv[1:]:
    ys.run_pass(command, design)
"""


def _yosys(folder, *commands):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *commands], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def _block():
    def bits(port, count):
        return ", ".join(f"{port}{n}" for n in reversed(range(count)))

    inputs = "\n".join(f"    input {bits(port, 18)}," for port in "ABC")
    return BLOCK.format(
        inputs=inputs, outputs=bits("P", 36), a=bits("A", 18), b=bits("B", 18), p=bits("P", 36)
    )


@pytest.fixture(scope="module", params=list(CASES))
def case(request, tmp_path_factory):
    """A design mapped, its netlist before and after, and what is wanted of it."""
    folder = tmp_path_factory.mktemp("dsp")
    declared, body, goes_in = CASES[request.param]
    text = TOP.format(declared=declared, body=body)
    if "now" in declared:
        text = text.replace("always", "assign now = a * b;\n  always")
    (folder / "top.v").write_text(text)
    _yosys(folder, "read_verilog top.v", "synth_ecp5 -top top -json before.json")
    netlist = json.loads((folder / "before.json").read_text())
    # the library's modules come from its files again
    netlist["modules"] = {"top": netlist["modules"]["top"]}
    (folder / "before.json").write_text(json.dumps(netlist))
    packed = pack_dsp_registers(netlist, "top")
    aligned = align_operands(netlist, "top")
    (folder / "after.json").write_text(json.dumps(netlist))
    (folder / "block.v").write_text(_block())
    return folder, body, goes_in, packed, aligned


def _count(folder, name, kind):
    cells = json.loads((folder / name).read_text())["modules"]["top"]["cells"].values()
    return sum(cell["type"] == kind for cell in cells)


def test_registers_go_in_where_they_can(case):
    folder, body, goes_in, packed, _ = case
    multipliers = body.count("*") or 1
    assert _count(folder, "before.json", "MULT18X18D") == multipliers
    assert packed == (multipliers if goes_in else 0)
    gone = _count(folder, "before.json", "TRELLIS_FF") - _count(folder, "after.json", "TRELLIS_FF")
    assert gone == 10 * packed


def test_operands_take_no_copies_of_their_sign(case):
    """An operand of five bits has five wires, and its product begins as far up."""
    folder, body, _, _, aligned = case
    assert aligned == (body.count("*") or 1)
    cells = json.loads((folder / "after.json").read_text())["modules"]["top"]["cells"].values()
    for block in (cell["connections"] for cell in cells if cell["type"] == "MULT18X18D"):
        for side in "AB":
            wired = [n for n in range(18) if block[f"{side}{n}"] != ["0"]]
            assert wired == [13, 14, 15, 16, 17]
        assert {n for n in range(36) if f"P{n}" in block} == set(range(26, 36))


def test_nothing_else_changes(case):
    """A register in the wrong place, a product bit that is lost, a pin that is left open."""
    folder, *_ = case
    for side, netlist in (("gold", "before.json"), ("gate", "after.json")):
        _yosys(
            folder,
            "read_verilog block.v",
            f"read_json {netlist}",
            "read_verilog -nooverwrite +/lattice/cells_sim_ecp5.v",
            "hierarchy -top top",
            "proc",
            "flatten",
            "opt_clean",
            f"rename top {side}",
            f"write_rtlil {side}.il",
        )
    told = _yosys(
        folder,
        "read_rtlil gold.il",
        "read_rtlil gate.il",
        "miter -equiv -flatten gold gate miter",
        "hierarchy -top miter",
        "async2sync",
        "sat -verify -tempinduct -prove trigger 0 -seq 2 miter",
    )
    assert "Induction step proven: SUCCESS!" in told


def _blocks(columns):
    """The blocks of an array of 8 x ``columns`` and its memories, named as Yosys names them."""
    kinds = {
        **{
            f"c.array.row_{row}.pe_{column}.m": "MULT18X18D"
            for row in range(8)
            for column in range(columns)
        },
        **{f"c.lanes.lane_{lane}.m{n}": "MULT18X18D" for lane in range(columns) for n in range(4)},
        **{
            f"c.scratchpad.bank_{bank}.memory.0.{part}": "DP16KD"
            for bank in range(4)
            for part in range(8)
        },
        **{f"c.ram.rows.0.{bit}": "DP16KD" for bit in range(64)},
        "c.load.m": "MULT18X18D",
        "c.queue.0": "DP16KD",
    }
    cells = {name: {"type": kind, "attributes": {}} for name, kind in kinds.items()}
    return {"modules": {"top": {"cells": cells}}}


def _places(netlist):
    cells = netlist["modules"]["top"]["cells"]
    return {name: cell["attributes"].get("BEL") for name, cell in cells.items()}


def test_blocks_that_belong_together_are_placed_together():
    """Two blocks at one place, a column of the array torn apart, a bank's slices out of order."""
    netlist = _blocks(8)
    assert place_blocks(netlist, "top", "85k") == 64 + 32 + 32 + 64
    places = _places(netlist)
    assert places["c.load.m"] is None
    assert places["c.queue.0"] is None
    taken = [place for place in places.values() if place]
    assert len(set(taken)) == len(taken)
    for column in range(8):
        blocks = {
            tuple(
                int(n) for n in re.findall(r"[XY](\d+)", places[f"c.array.row_{row}.pe_{column}.m"])
            )
            for row in range(8)
        }
        assert {y for _, y in blocks} == {34, 58}
        assert max(x for x, _ in blocks) - min(x for x, _ in blocks) < 9
    slices = [
        int(places[f"c.scratchpad.bank_{bank}.memory.0.{part}"].split("/")[0][1:])
        for part in range(8)
        for bank in range(4)
    ]
    assert slices == sorted(slices)


def test_what_is_too_large_or_unknown_is_left_to_nextpnr():
    wide = _blocks(14)
    place_blocks(wide, "top", "85k")
    assert not any(place for name, place in _places(wide).items() if ".row_" in name and place)
    assert place_blocks(_blocks(8), "top", "25k") == 0
