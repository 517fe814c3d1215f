"""Registers that go into DSP blocks: which do, and that nothing else changes (proved by Yosys)."""

import json
import subprocess
import sys

import pytest
from weft.fpga.dsp_registers import pack_dsp_registers

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
    (folder / "after.json").write_text(json.dumps(netlist))
    (folder / "block.v").write_text(_block())
    return folder, body, goes_in, packed


def _count(folder, name, kind):
    cells = json.loads((folder / name).read_text())["modules"]["top"]["cells"].values()
    return sum(cell["type"] == kind for cell in cells)


def test_registers_go_in_where_they_can(case):
    folder, body, goes_in, packed = case
    multipliers = body.count("*") or 1
    assert _count(folder, "before.json", "MULT18X18D") == multipliers
    assert packed == (multipliers if goes_in else 0)
    gone = _count(folder, "before.json", "TRELLIS_FF") - _count(folder, "after.json", "TRELLIS_FF")
    assert gone == 10 * packed


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
