"""Memories left out of the mapping, put back beside the gates in simulation."""

import sys
from pathlib import Path

import numpy as np
import pytest
from weft.synth.activity import GateBench
from weft.synth.errors import FlowError
from weft.synth.library import load_library
from weft.synth.mapping import RECIPES, map_to_cells
from weft.synth.netlist import read_netlist

sys.path.insert(0, str(Path(__file__).parent))
from tiny_library import write_tiny

#: 64 rows of 16 bits, written and read, and a table of 64 constants, which is no memory.
_RTL = """
module block(input clk, input rst, input we, input [5:0] wa, input [5:0] ra, input [15:0] d,
             output reg [15:0] sum);
  reg [15:0] rows [63:0];
  reg [15:0] read, fixed;
  integer i;
  initial for (i = 0; i < 64; i = i + 1) rows[i] = 0;
  always @(posedge clk) begin
    if (we) rows[wa] <= d;
    read <= rows[ra];
    case (ra)
      TABLE
    endcase
    sum <= rst ? 0 : read ^ fixed;
  end
endmodule
""".replace("TABLE", "\n      ".join(f"{n}: fixed <= {n * 40503 % 65536};" for n in range(64)))


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """(netlist, library, what was mapped, folder)"""
    folder = tmp_path_factory.mktemp("memory")
    library = load_library([write_tiny(folder / "tiny.lib")])
    source = folder / "rtl.v"
    source.write_text(_RTL)
    done = map_to_cells(source, "block", library, RECIPES["plain"], 3000, folder / "map", 512)
    return read_netlist(done.netlist_json, "block", library), library, done, folder


def _stimulus():
    rng = np.random.default_rng(5)
    cycles = 300
    bits = {"we": 1, "wa": 3, "ra": 3, "d": 16}
    values = {name: rng.integers(0, 2**width, cycles) for name, width in bits.items()}
    return values | {"rst": (np.arange(cycles) < 4).astype(np.int64)}


@pytest.mark.rtl
@pytest.mark.slow
def test_a_memory_that_is_written_is_cut_and_a_table_is_not(mapped):
    netlist, _, done, _ = mapped
    assert done.memory_bits == 64 * 16
    assert len(netlist.inputs["memory_0_rd_data"]) == 16
    assert len(netlist.outputs["memory_0_wr_data"]) == 16
    assert not any(name.startswith("memory_1") for name in netlist.inputs)


@pytest.mark.rtl
@pytest.mark.slow
def test_gates_and_memory_do_what_the_block_does(mapped, tmp_path):
    """What a memory reads is state: it moves with the flip-flops."""
    netlist, library, done, folder = mapped
    bench = GateBench(netlist, library, _RTL, tmp_path, folder / "builds", done.memories)
    before, after = bench.simulate(_stimulus(), 32)
    nets = netlist.inputs["memory_0_rd_data"]
    moved = after[:, nets] != before[:, nets]
    assert 0.3 < moved.mean() < 0.7
    assert np.array_equal(after[:-1][:, nets], before[1:][:, nets])
    report = bench.energy(_stimulus(), 32, 1000.0)
    assert report.switching_fj > 0


@pytest.mark.rtl
@pytest.mark.slow
def test_a_memory_that_forgets_is_caught(mapped, tmp_path):
    netlist, library, done, folder = mapped
    wrong = tmp_path / "wrong.v"
    text = done.memories.read_text()
    assert text.count("wr_data[7]") == 1
    wrong.write_text(text.replace("wr_data[7]", "1'b0"))
    bench = GateBench(netlist, library, _RTL, tmp_path, folder / "builds", wrong)
    with pytest.raises(FlowError, match=r"the mapped block differs from its RTL: output sum\[7\]"):
        bench.simulate(_stimulus(), 32)
