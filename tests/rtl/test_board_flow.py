"""The FPGA flow around the tools: what fits, constraints, clocks, reports, refusals."""

import json
import re
import shutil

import pytest
from weft.cli import main
from weft.fpga import FpgaRun, TimingReport, check_fit, read_report
from weft.fpga.fit import CAPACITY, check_cells
from weft.fpga.flow import map_design
from weft.fpga.steps import Steps
from weft.fpga.tools import find_tool, run_tool
from weft_hw.boards.bare_array import BareArray
from weft_hw.boards.prototype import Prototype
from weft_hw.boards.table import BOARDS, board
from weft_hw.boards.top import fastest_clock, pll_divisors
from weft_hw.presets import preset

ULX3S = BOARDS["ulx3s"]


@pytest.mark.parametrize("name", ["nano", "ecp5"])
def test_small_presets_fit(name):
    check_fit(preset(name), ULX3S, 128)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "base"], "base needs at least 256 MULT18X18D|base needs at least 224 DP16KD"),
        (["--preset", "ecp5", "--memory-kib", "512"], "needs at least 296 DP16KD, and the 85k of"),
        (["--block", "tile"], "block must be one of array, not 'tile'"),
        (["--board", "arty"], "board must be one of ulx3s, not 'arty'"),
        (["--clock-mhz", "91"], "multiple of the board's 25000000 Hz over a whole number up to 8,"),
        (["--clock-mhz", "425"], "from 3125000 to 400000000 Hz, not 425000000 Hz"),
        (["--clock-mhz", "3"], "from 3125000 to 400000000 Hz, not 3000000 Hz"),
        (["--memory-kib", "3"], "memory_kib must be a positive multiple of 4, not 3"),
        (["--baud", "90000000"], "baud must be at most a quarter of the clock"),
        (["--baud", "7000000", "--clock-mhz", "25"], "baud must be at most a quarter|within 2 %"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys, tmp_path):
    assert main(["fpga", "-o", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)


def test_counts_after_synthesis_are_checked():
    cells = dict(CAPACITY["85k"])
    check_cells(cells, preset("ecp5"), ULX3S)
    cells["LUT4"] += 1
    with pytest.raises(ValueError, match=r"ecp5 needs 83641 LUT4, and the 85k of ulx3s has 83640"):
        check_cells(cells, preset("ecp5"), ULX3S)


def test_missing_tool_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(FileNotFoundError, match=r"nextpnr-ecp5 was not found.* pip install yowasp"):
        find_tool("nextpnr-ecp5")


def test_tool_that_stops_shows_its_error(tmp_path):
    script = "echo fine; echo 'ERROR: no such pin'; exit 3"
    with pytest.raises(RuntimeError, match=r"sh stopped \(log: .*\): ERROR: no such pin"):
        run_tool(["sh", "-c", script], tmp_path / "log")


def test_tools_run_where_their_files_are(tmp_path):
    """A path that the sandbox of PyPI's programs does not show."""
    run_tool(["sh", "-c", "echo made > file"], tmp_path / "log")
    assert (tmp_path / "file").read_text() == "made\n"


def test_constraints_name_every_pin():
    text = board("ulx3s").constraints
    assert 'LOCATE COMP "clk" SITE "G2";' in text
    assert 'FREQUENCY PORT "clk" 25 MHZ;' in text
    sites = re.findall(r'LOCATE COMP "\S+" SITE "(\S+)";', text)
    assert len(sites) == len(set(sites)) == 12


@pytest.mark.parametrize(
    ("clock_mhz", "want"),
    [
        (25, (1, 1, 16)),
        (50, (1, 2, 8)),
        (75, (1, 3, 6)),
        (100, (1, 4, 4)),
        (125, (1, 5, 4)),
        (37.5, (2, 3, 11)),
        (45, (5, 9, 9)),
        (34.375, (8, 11, 12)),
    ],
)
def test_pll_keeps_its_oscillator_in_range(clock_mhz, want):
    divisor, feedback, output = pll_divisors(25_000_000, round(clock_mhz * 1e6))
    assert (divisor, feedback, output) == want
    assert 400 <= clock_mhz * output <= 800
    assert 25 / divisor * feedback == clock_mhz
    assert 25 / divisor >= 3.125


@pytest.mark.parametrize(
    ("limit_mhz", "want"), [(100.0, 100.0), (44.99, 43.75), (39.9, 37.5), (34.4, 34.375), (2, 0)]
)
def test_fastest_clock_of_the_pll(limit_mhz, want):
    assert fastest_clock(25_000_000, limit_mhz * 1e6) == want * 1e6


def test_divisor_is_the_nearest():
    config = preset("nano")
    made = Prototype(config, memory_kib=64, clock_hz=100_000_000, baud=3_000_000)
    assert made.divisor == 33


def test_report_is_read(tmp_path):
    """A clock of another domain, or delays of the wrong kind, in the numbers that are shown."""
    step = {"from": {"cell": "a", "port": "Q"}, "to": {"cell": "b", "port": "A"}}
    path = [
        {**step, "type": "clk-to-q", "delay": 0.5},
        {**step, "type": "routing", "delay": 1.25, "net": "n1"},
        {**step, "type": "logic", "delay": 0.25},
        {**step, "type": "setup", "delay": 0.1, "to": {"cell": "c", "port": "D"}},
    ]
    report = {
        "fmax": {
            "slow": {"achieved": 90.0, "constraint": 100.0},
            "fast": {"achieved": 300.0, "constraint": 25.0},
        },
        "critical_paths": [
            {"from": "posedge slow", "to": "posedge slow", "path": path},
            {"from": "posedge fast", "to": "posedge fast", "path": path * 9},
        ],
        "utilization": {
            "DP16KD": {"used": 3, "available": 208},
            "GSR": {"used": 0, "available": 1},
        },
    }
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report))
    timing = read_report(file)
    assert (timing.fmax_mhz, timing.clock) == (90.0, "slow")
    assert timing.critical is not None
    assert (timing.critical.logic_ns, timing.critical.routing_ns) == (0.85, 1.25)
    assert (timing.critical.source, timing.critical.sink) == ("a", "c")
    assert timing.critical.nets == ("n1",)
    assert timing.used == {"DP16KD": 3}
    report["fmax"] = {}
    file.write_text(json.dumps(report))
    with pytest.raises(ValueError, match="must have a clock, and has none"):
        read_report(file)


def test_steps_are_not_run_again_without_need(tmp_path):
    """A stale result that is kept, or a long step that runs again for nothing."""
    source, result = tmp_path / "source", tmp_path / "result"
    ran = []

    def make(told, text="options"):
        steps = Steps(tmp_path, told.append)
        steps.make(
            "copy",
            [source, text],
            [result],
            lambda: (ran.append(1), result.write_bytes(source.read_bytes())),
        )
        return steps.seconds["copy"]

    source.write_text("one")
    told = []
    first = make(told)
    assert (told, len(ran)) == (["copy"], 1)
    assert make(told) == first
    assert (told[-1], len(ran)) == ("copy: unchanged", 1)
    source.write_text("two")
    make(told)
    assert (result.read_text(), len(ran)) == ("two", 2)
    make(told, "other options")
    result.unlink()
    make(told, "other options")
    assert len(ran) == 4
    (tmp_path / "steps.json").write_text("{ cut off")
    make(told, "other options")
    assert len(ran) == 5


def test_failed_step_is_run_again(tmp_path):
    """Half a result of a step that was stopped, taken for whole."""
    steps, result = Steps(tmp_path, lambda step: None), tmp_path / "result"
    broken = ["sh", "-c", "echo half > result; exit 1"]
    with pytest.raises(RuntimeError, match="sh stopped"):
        steps.run("map", broken, [], [result])
    assert result.exists()
    steps.run("map", ["sh", "-c", "echo whole > result"], [], [result])
    assert result.read_text() == "whole\n"


def test_long_step_tells_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.fpga.steps._TELL_S", 0.0)
    told = []
    lines = "Info: begins\\nInfo:     at iteration #3, type ALL: wirelen\\n    iter=7 wires=12\\n"
    Steps(tmp_path, told.append).run("place", ["printf", lines], [], [])
    assert told == ["place", "place: at iteration #3, type ALL: wirelen", "place: iter=7 wires=12"]


@pytest.mark.parametrize(("fmax_mhz", "code"), [(44.9, 1), (100.0, 0)])
def test_result_says_what_to_do(fmax_mhz, code, monkeypatch, capsys, tmp_path):
    """A bitstream too fast for its clock, handed over as if it were good."""
    timing = TimingReport(
        fmax_mhz=fmax_mhz,
        clock="clk",
        critical=None,
        used={"DP16KD": 52},
        available={"DP16KD": 208},
    )
    made = FpgaRun(
        folder=tmp_path,
        bitstream=tmp_path / "weft.bit",
        clock_mhz=100.0,
        reachable_mhz=43.75,
        cells={},
        timing=timing,
        seconds={},
    )
    monkeypatch.setattr("weft.fpga.build_bitstream", lambda *args, **options: made)
    assert main(["fpga", "-o", str(tmp_path)]) == code
    text = capsys.readouterr().out
    assert re.search(r"DP16KD +52 +208 +25\.0 %", text)
    assert f"openFPGALoader -b ulx3s {made.bitstream}" in text
    assert ("do not load it; build with --clock-mhz 43.75" in text) == bool(code)
    assert ("NOT met" in text) == bool(code)


def test_bare_array_keeps_its_multipliers(tmp_path):
    """Operands or sums that go nowhere, and are left out; a product without its register."""
    config = preset("nano")
    steps = Steps(tmp_path, lambda step: None)
    cells = map_design(BareArray(config), "bare", steps, "nano", board("ulx3s"))
    assert cells["MULT18X18D"] == 16
    netlist = json.loads((tmp_path / "bare.json").read_text())["modules"]["bare"]["cells"]
    blocks = [cell for cell in netlist.values() if cell["type"] == "MULT18X18D"]
    assert len(blocks) == 16
    assert all(cell["parameters"]["REG_OUTPUT_CLK"] == "CLK0" for cell in blocks)
    # the names that the floorplan goes by
    assert len({cell["attributes"]["BEL"] for cell in blocks}) == 16
    # weights, shadows, activations and sums of 18 bits: nothing of the array is left out
    assert cells["TRELLIS_FF"] > 16 * (3 * 8 + 18)


def test_bare_array_has_its_pins():
    text = board("ulx3s").constraints_of(("clk", "tx"))
    assert re.findall(r'LOCATE COMP "(\S+)"', text) == ["clk", "tx"]
    assert "FREQUENCY" not in text
