"""The whole layout of a block, where the programs are installed, and that its checks catch a wrong
one; where they are not, what the user is told."""

import json
import re
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from weft.cli import main
from weft.layout.checking import compare, extract
from weft.layout.flow import lay_out
from weft.layout.lef import read_lef
from weft.layout.text import as_dict, layout_text
from weft.layout.tools import PACKAGES, layout_tools, osu018
from weft.synth.errors import ToolError
from weft.synth.estimates import CORNERS
from weft.synth.tools import OSU018
from weft_hw.presets import preset

HAS_TOOLS = all(shutil.which(name) for name in PACKAGES) and OSU018.is_file()


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """The int8 processing element; None where a program is missing."""
    folder = tmp_path_factory.mktemp("layout")
    if not HAS_TOOLS:
        with pytest.raises(ToolError, match="apt-get install graywolf qrouter magic netgen-lvs"):
            lay_out("pe", preset("nano"), folder)
        return None
    return lay_out("pe", preset("nano"), folder)


@pytest.mark.slow
def test_processing_element(layout):
    if layout is None:
        return
    assert layout.routed.failed == ()
    assert layout.extracted.errors == {}
    assert layout.match.matches
    # the block's cells, and its nets with the two of the supply
    assert layout.match.devices == (len(layout.design.parts),) * 2
    assert layout.match.nets == (len(layout.design.nets) + 2,) * 2
    assert 0.75 < layout.utilisation <= 0.8
    wires = layout.wires
    # the core is 170 µm wide: a mean net longer than half of it were no placement
    assert 5 < wires.length_um / len(wires.nets) < 85
    assert all(net.length_um > 0 for net in wires.nets)
    assert sum(wires.length_by_layer_um.values()) > wires.length_um
    # the two measures of the same wires, by the layers' figures and by their surroundings
    assert wires.ratio == pytest.approx(wires.lef_ratio, rel=0.25)
    assert wires.clock.sinks == 60
    assert layout.picture.read_text().startswith("<svg")
    if layout.periods_ps:
        assert layout.periods_ps[0] < layout.periods_ps[1] < 1.3 * layout.periods_ps[0]
    else:
        assert "apt-get install opensta" in layout.problems[0]


def _within(name, value):
    low, high = (getattr(CORNERS[corner], name) for corner in ("low", "high"))
    assert low <= value <= high, f"{name} {value} is outside {low} to {high}"


@pytest.mark.slow
def test_the_estimates_hold_this_layout(layout):
    """Bands of the estimates that what was measured lies outside of."""
    if layout is None:
        return
    _within("capacitance_ff_per_um", layout.wires.ff_per_um)
    _within("pitches_per_sink", layout.wires.pitches_per_sink)
    _within("clock_pitches_per_sink", layout.wires.clock_pitches_per_sink)


def test_the_estimates_hold_every_layout_on_record():
    """The router's figures, which take minutes to measure, are those of the table of results."""
    text = Path(str(files("weft.layout") / "README.md")).read_text()
    for name, words in (
        ("capacitance_ff_per_um", "capacitance per length"),
        ("pitches_per_sink", "length for each driven pin"),
        ("clock_pitches_per_sink", "length for each clock pin"),
    ):
        (row,) = re.findall(rf"^\| {words} \|(.*)$", text, re.MULTILINE)
        figures = [float(cell.split()[0]) for cell in row.strip("| ").split("|")]
        assert len(figures) == 2
        for figure in figures:
            _within(name, figure)


@pytest.mark.slow
def test_an_exchanged_pin_is_caught(layout, tmp_path):
    """Inputs A and B of an AOI21 are alike, C is not."""
    if layout is None:
        return
    design = layout.design
    index = next(i for i, part in enumerate(design.parts) if part.macro.name == "AOI21X1")
    part = design.parts[index]
    nets = part.nets | {"A": part.nets["C"], "C": part.nets["A"]}
    parts = [*design.parts]
    parts[index] = replace(part, nets=nets)
    wrong = replace(design, parts=parts)
    netlist = tmp_path / layout.extracted.netlist.name
    shutil.copy(layout.extracted.netlist, netlist)
    match = compare(wrong, read_lef(osu018().lef), netlist, osu018().setup, tmp_path)
    assert not match.matches


@pytest.mark.slow
def test_a_moved_wire_is_caught(layout, tmp_path):
    """A wire of the second layer moved by a quarter of a micrometre stands too near another, or
    leaves its vias."""
    if layout is None:
        return
    text = layout.routed.layout.read_text()
    nets = text.index("\nNETS ")
    wire = re.compile(r"NEW metal2 \( (\d+) (\d+) \) \( \* (\d+) \)").search(text, nets)
    moved = f"NEW metal2 ( {int(wire.group(1)) + 25} {wire.group(2)} ) ( * {wire.group(3)} )"
    path = tmp_path / "moved.def"
    path.write_text(text[: wire.start()] + moved + text[wire.end() :])
    process = osu018()
    assert sum(extract(path, process.lef, process.tech, tmp_path).errors.values()) > 0


def test_missing_programs_are_one_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as error:
        layout_tools()
    assert all(name in str(error.value) for name in PACKAGES)
    assert "apt-get install graywolf qrouter magic netgen-lvs qflow-tech-osu018" in str(error.value)
    assert main(["layout", "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_missing_library_is_one_sentence(tmp_path):
    with pytest.raises(ToolError, match=r"osu018_stdcells.lef, not found; on Debian or Ubuntu"):
        osu018(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--block", "cpu"], "block must be one of pe, row"),
        (["--utilisation", "1.2"], "utilisation must be from 0.3 to 1, not 1.2"),
        (["--vectors", "8"], "vectors must be 0 or at least 64, not 8"),
        (["--layers", "7"], "layers must be from 3 to 6, not 7"),
        (["--preset", "huge"], "config must be one of nano"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys, tmp_path):
    if not HAS_TOOLS and arguments[0] == "--layers":
        message = "apt-get install graywolf"
    assert main(["layout", *arguments, "-o", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_results_as_json(layout):
    if layout is None:
        return
    result = json.loads(json.dumps(as_dict(layout)))
    assert result["netlists_match"] is True
    assert result["design_rule_violations"] == {}
    assert result["wires"]["extracted_over_estimate"] == layout.wires.ratio
    assert "netlists     match" in layout_text(layout)
