"""What RTL leaves open until it is first written, and gates = RTL in the rest."""

import sys
from pathlib import Path

import numpy as np
import pytest
from weft.synth.activity import GateBench
from weft.synth.errors import FlowError
from weft.synth.library import load_library
from weft.synth.mapping import RECIPES, map_to_cells
from weft.synth.netlist import read_netlist
from weft.synth.power_up import listened, qualifier, without_initial_values
from weft.synth.unwritten import unwritten_registers
from weft_hw.chip import Chip
from weft_hw.presets import preset
from weft_hw.verilog import to_verilog

sys.path.insert(0, str(Path(__file__).parent))
from tiny_library import write_tiny

#: A header without reset, whose top bit is only ever written 1, offered from the first item on.
_RTL = """
module block(input clk, input rst, input take, input [2:0] d,
             output [3:0] o__payload, output o__valid);
  reg [3:0] header = 4'h0;
  reg header_valid = 1'h0;
  always @(posedge clk) begin
    if (take) header <= {1'h1, d};
    header_valid <= rst ? 1'h0 : (take | header_valid);
  end
  assign o__payload = header;
  assign o__valid = VALID;
endmodule
"""
_SOUND = _RTL.replace("VALID", "header_valid")
_CYCLES, _FIRST, _WARM_UP = 60, 40, 16


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """Compiled simulations, Verilator's own objects among them."""
    return tmp_path_factory.mktemp("builds")


def _bench(rtl, folder, builds, gates=None):
    """RTL beside what ``gates`` (or itself) maps to."""
    library = load_library([write_tiny(folder / "tiny.lib")])
    source = folder / "rtl.v"
    source.write_text(gates or rtl)
    done = map_to_cells(source, "block", library, RECIPES["plain"], 3000, folder / "map", 512)
    netlist = read_netlist(done.netlist_json, "block", library)
    return GateBench(netlist, library, rtl, folder, builds, done.memories)


def _stimulus():
    rng = np.random.default_rng(8)
    cycle = np.arange(_CYCLES)
    return {
        "rst": (cycle < 4).astype(np.int64), "d": rng.integers(0, 8, _CYCLES),
        "take": (cycle >= _FIRST).astype(np.int64),
    }  # fmt: skip


@pytest.mark.rtl
@pytest.mark.slow
def test_a_bit_that_rtl_leaves_open_is_free_while_nobody_looks(tmp_path, builds):
    """Simulated RTL shows 0 before the first item, gates are the constant 1."""
    bench = _bench(_SOUND, tmp_path, builds)
    # the register that RTL has for the bit is none in gates
    assert len(bench.netlist.flops) == 4
    before, after = bench.simulate(_stimulus(), _WARM_UP)
    # whose three lower bits and valid move from the first item on
    state = bench.netlist.state_nets
    moved = np.flatnonzero((before[:, state] != after[:, state]).any(axis=1)) + _WARM_UP
    assert moved.min() == _FIRST


@pytest.mark.rtl
@pytest.mark.slow
def test_a_bit_that_rtl_leaves_open_is_refused_where_somebody_looks(tmp_path, builds):
    """The same with a payload that is offered before it was written."""
    bench = _bench(_RTL.replace("VALID", "~rst"), tmp_path, builds)
    message = r"output o__payload\[3\] in cycle 16 is 1, not 0 \(24 differences in 44 cycles\)"
    with pytest.raises(FlowError, match=message):
        bench.simulate(_stimulus(), _WARM_UP)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "cycle"),
    [
        # offered: the wrong bit of the payload
        ("{1'h1, d}", "{1'h1, d[2], d[1], 1'h1}", _FIRST),
        # not offered, but defined: the lower bits hold what reset left there
        ("if (take) header", "if (rst) header <= 4'h8; else if (take) header", _WARM_UP),
        # valid itself
        ("(take | header_valid)", "1'h1", _WARM_UP),
    ],
)
def test_gates_that_are_wrong_are_caught(tmp_path, builds, right, wrong, cycle):
    rtl = _SOUND
    if cycle == _WARM_UP:
        rtl = rtl.replace("if (take) header", "if (rst) header <= 4'h9; else if (take) header")
        right = right.replace("if (take) header", "4'h9")
        wrong = wrong.replace("if (rst) header <= 4'h8; else if (take) header", "4'h8")
    assert right in rtl
    bench = _bench(rtl, tmp_path, builds, gates=rtl.replace(right, wrong))
    with pytest.raises(FlowError, match=f"the mapped block differs from its RTL.* cycle {cycle} "):
        bench.simulate(_stimulus(), _WARM_UP)


def test_payloads_and_channels_have_their_valid():
    names = ["o__payload", "o__valid", "o__ready", "m__awaddr", "m__awvalid", "m__awready",
             "m__wlast", "m__wvalid", "m__rready", "busy", "payload", "n__wdata"]  # fmt: skip
    assert {name: qualifier(name, names) for name in names if qualifier(name, names)} == {
        "o__payload": "o__valid", "m__awaddr": "m__awvalid", "m__wlast": "m__wvalid",
    }  # fmt: skip
    values = np.array([[1, 1, 0, 1], [1, 1, 1, 0]], dtype=bool)
    heard = listened([("o__payload", 2), ("o__valid", 1), ("busy", 1)], values)
    assert heard.tolist() == [[False, False, True, True], [True, True, True, True]]


def test_only_registers_lose_their_initial_values():
    text = "  reg [3:0] \\a.b  = 4'hf;\n  reg c = 1'h0;\n  wire d = 1'h0;\n  reg trigger = 0;\n"
    assert without_initial_values(text) == (
        "  reg [3:0] \\a.b ;\n  reg c;\n  wire d = 1'h0;\n  reg trigger = 0;\n"
    )


def test_a_register_bit_that_nothing_writes_is_found(tmp_path):
    source = tmp_path / "rtl.v"
    source.write_text(_SOUND.replace("header <= {1'h1, d}", "header <= {header[3], d}"))
    assert unwritten_registers(source, "block") == ["block"]
    source.write_text(_SOUND)
    assert unwritten_registers(source, "block") == []


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", ["nano", "micro"])
def test_every_register_bit_of_a_chip_is_written_or_reset(name, tmp_path):
    """Else silicon leaves it open: a record's reserved words came out as other words of it."""
    source = tmp_path / "chip.v"
    source.write_text(to_verilog(Chip(preset(name)), "chip", assertions=False).text)
    assert unwritten_registers(source, "chip") == []
