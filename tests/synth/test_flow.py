"""The whole flow on the library of a fresh machine (OSU018, by apt), and that its checks catch a
wrong netlist."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from weft.cli import main
from weft.synth.activity import GateBench
from weft.synth.errors import FlowError, ToolError
from weft.synth.library import default_library
from weft.synth.mapping import RECIPES, map_to_cells
from weft.synth.netlist import read_netlist
from weft.synth.stimuli import Case, _pe
from weft.synth.tools import OSU018
from weft_hw.array.pe import ProcessingElement
from weft_hw.presets import preset
from weft_hw.verilog import to_verilog

sys.path.insert(0, str(Path(__file__).parent))
from tiny_library import write_tiny

HAS_LIBRARY = OSU018.is_file()


@pytest.mark.rtl
@pytest.mark.slow
def test_pe_on_the_library_of_a_fresh_machine(tmp_path, capsys):
    arguments = ["synth", "--preset", "nano", "--recipe", "small_booth", "--vectors", "128"]
    code = main([*arguments, "--build", str(tmp_path), "--json"])
    captured = capsys.readouterr()
    if not HAS_LIBRARY:
        assert code == 2
        assert "apt-get install qflow-tech-osu018" in captured.err
        return
    (result,) = json.loads(captured.out)["results"]
    if result["tools"]["opensta"] == "missing":
        assert code == 1
        assert "apt-get install opensta" in captured.err
    else:
        assert code == 0
        assert 0.1 < result["fastest_ghz"] < 1
    # an int8 PE: 8 + 8 + 8 + 16 + 18 + 2 bits of state, and a few hundred gates
    assert result["flip_flops"] == 60
    assert 300 < result["cells"] < 900
    energy = {case["case"]: case["per_operation_fj"] for case in result["energy"]}
    assert energy["int8, zeros, weights held"] < energy["int8, digits, weights held"]
    assert energy["int8, digits, weights held"] < energy["int8, random, weights held"]


@pytest.mark.rtl
@pytest.mark.slow
def test_a_wrong_netlist_is_caught(tmp_path):
    if not HAS_LIBRARY:
        with pytest.raises(ToolError, match="apt-get install qflow-tech-osu018"):
            default_library()
        return
    library = default_library()
    config = preset("nano")
    rtl = to_verilog(ProcessingElement(sum_bits=config.tile.column_sum_bits), "pe")
    source = tmp_path / "rtl.v"
    source.write_text(rtl.text)
    mapped = map_to_cells(source, "pe", library, RECIPES["plain"], 3000, tmp_path / "map")
    text = mapped.netlist_json.read_text()
    assert '"type": "XNOR2X1"' in text
    mapped.netlist_json.write_text(text.replace('"type": "XNOR2X1"', '"type": "XOR2X1"', 1))
    netlist = read_netlist(mapped.netlist_json, "pe", library)
    bench = GateBench(netlist, library, rtl.text, tmp_path, tmp_path / "builds")
    stimulus = _pe(config, 1, Case("random", "changing", "int8"), 128)
    with pytest.raises(FlowError, match="the mapped pe differs from its RTL: output sum_o"):
        bench.simulate(stimulus.values, stimulus.warm_up)
    assert np.any(stimulus.values["load_i"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--block", "cpu"], "block must be one of pe, row"),
        (["--goal", "cheap"], "goal must be one of balanced, fast, small, not 'cheap'"),
        (["--recipe", "magic"], "recipe must be among plain"),
        (["--margin", "1"], "margin must be from 0 to below 1"),
        (["--node", "n3"], "node must be among osu018"),
        (["--liberty", "none.lib"], "none.lib cannot be read as a Liberty file"),
        (["--pdk", "/nowhere"], "/nowhere holds none of the folders sky130hd"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys, tmp_path):
    if not HAS_LIBRARY and arguments[0] in ("--block", "--goal", "--recipe"):
        message = "apt-get install qflow-tech-osu018"
    assert main(["synth", *arguments, "--build", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def _synth_tiny(path, tmp_path, capsys):
    """(exit code, the one result, messages) of the smallest PE on a library of five cells."""
    code = main(
        ["synth", "--preset", "nano", "--liberty", str(path), "--recipe", "small",
         "--vectors", "64", "--build", str(tmp_path / "build"), "--json"]
    )  # fmt: skip
    captured = capsys.readouterr()
    (result,) = json.loads(captured.out)["results"]
    return code, result, captured.err


@pytest.mark.rtl
@pytest.mark.slow
def test_a_library_without_power_tables_still_gives_area_and_timing(tmp_path, capsys):
    path = write_tiny(tmp_path / "tiny.lib")
    path.write_text(
        re.sub(r"internal_power \(\) \{[^{}]*(\{[^{}]*\}[^{}]*)*\}", "", path.read_text())
    )
    code, result, messages = _synth_tiny(path, tmp_path, capsys)
    assert code == 1
    assert messages.count("no energy: library tiny has no internal_power tables") == 1
    assert result["area_um2"] > 0
    assert result["energy"] == []
    if result["tools"]["opensta"] != "missing":
        assert result["period_ps"] > 0


@pytest.mark.rtl
@pytest.mark.slow
def test_without_a_timing_analyser_area_and_energy_are_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WEFT_STA", "/nowhere/sta")
    code, result, messages = _synth_tiny(write_tiny(tmp_path / "tiny.lib"), tmp_path, capsys)
    assert code == 1
    assert "no timing: OpenSTA at /nowhere/sta (from WEFT_STA) was not found" in messages
    assert "apt-get install opensta" in messages
    assert "period_ps" not in result
    assert len(result["energy"]) == 7


def test_all_needs_blocks_that_it_knows(capsys, tmp_path):
    arguments = ["--all", "--blocks", "pe,cpu", "--build", str(tmp_path)]
    assert main(["synth", *arguments]) == 2
    assert "blocks must be among pe, pe_float" in capsys.readouterr().err
