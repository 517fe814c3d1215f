"""What the tools report, read back; wires measured by hand."""

import xml.etree.ElementTree as ET

import pytest
from tiny_layout import tiny_design, tiny_lef, tiny_netlist, tiny_placement
from weft.layout.checking import net_capacitances_ff, read_match, rule_errors
from weft.layout.def_file import Route, Segment
from weft.layout.floorplan import make_floorplan
from weft.layout.parasitics import spef_text, verilog_text
from weft.layout.picture import picture_svg
from weft.layout.routing import failed_nets, route
from weft.layout.spice import schematic_text
from weft.layout.wires import lef_capacitance_ff, wire_report
from weft.synth.errors import FlowError
from weft.synth.estimates import CORNERS, wire_ff_per_sink


def test_failed_nets_of_the_router():
    listed = "Failed net routes: 3\nFinal: Failed net routes: 2\nList of failed nets follows:\n"
    assert failed_nets(listed + " load_i\n n7\n\n------\n") == ("load_i", "n7")
    assert failed_nets("Failed net routes: 1\nFinal: No failed routes!\n") == ()
    assert failed_nets("*** Running stage1\n") is None


def test_layers_of_the_router(tmp_path):
    lef = tiny_lef(tmp_path)
    design = tiny_design(tmp_path)
    plan = make_floorplan(design, lef, tiny_placement(), 0.6)
    with pytest.raises(ValueError, match="layers must be from 3 to 3, not 4"):
        route(design, lef, tmp_path / "tiny.lef", plan, tmp_path, 4)


def test_rules_of_magic():
    assert rule_errors("=count= 0\n") == {}
    log = "noise\n=count= 9\n=rule= 7 Metal2 area < 20\n=rule= 2 Metal1 spacing < 3\n"
    assert rule_errors(log) == {"Metal2 area < 20": 7, "Metal1 spacing < 3": 2}
    assert rule_errors("=count= 4\n") == {"unnamed rule": 4}
    with pytest.raises(FlowError, match="magic did not come to its design rules"):
        rule_errors("tech load failed\n")


_COUNTS = (
    "Circuit 1 contains 5 devices, Circuit 2 contains 5 devices.\n"
    "Circuit 1 contains 7 nets,    Circuit 2 contains {} nets.\n"
)


@pytest.mark.parametrize(
    ("nets", "verdict", "matches"),
    [
        (7, "Circuits match uniquely.", True),
        (7, "Netlists do not match.", False),
        (8, "Netlists do not match.", False),
        (7, "Top level cell failed pin matching.", False),
    ],
)
def test_verdict_of_netgen(nets, verdict, matches, tmp_path):
    match = read_match(_COUNTS.format(nets) + f"\nResult: {verdict}\n", tmp_path)
    assert match.matches is matches
    assert match.devices == (5, 5)
    assert match.nets == (7, nets)


def test_netgen_without_a_result(tmp_path):
    with pytest.raises(FlowError, match="netgen gave no result"):
        read_match("cannot open file\n", tmp_path)


def test_capacitors_count_for_both_nets(tmp_path):
    path = tmp_path / "x.spice"
    path.write_text(
        "* comment\n.subckt tiny clk\n+ y\nXg1 a\n+ b NAND2\n"
        "C0 g1/A clk 2.00fF\nC1 g2/D\n+ vdd 1.50fF\nC2 g1/Y substrate -0.25fF\nC3 y gnd 1e-1fF\n"
    )
    found = net_capacitances_ff(path, tiny_design(tmp_path))
    assert found == pytest.approx(
        {"clk": 2.0, "a_0": 2.0, "a_1": 0.0, "n5": 1.25, "n6": 0.0, "y": 0.1}
    )
    path.write_text("C0 clk y 2.00pF\n")
    with pytest.raises(FlowError, match=r"capacitor C0 of 2.00pF is not in fF"):
        net_capacitances_ff(path, tiny_design(tmp_path))


def test_wires_by_hand(tmp_path):
    """Two nets with sinks, one wire of 10 and one of 30 µm; the clock is kept apart."""
    design, netlist, lef = tiny_design(tmp_path), tiny_netlist(tmp_path), tiny_lef(tmp_path)
    routes = {net: Route() for net in design.nets}
    routes["n5"].segments = [Segment("metal2", 0, 0, 0, 10)]
    routes["n6"].segments = [Segment("metal2", 0, 0, 0, 10), Segment("metal3", 0, 10, 20, 10)]
    routes["n6"].vias = [("M3_M2", 0, 10)]
    routes["clk"].segments = [Segment("metal3", 0, 0, 5, 0)]
    extracted = {"n5": 1.0, "n6": 4.0, "clk": 0.5, "a_0": 0.0, "a_1": 0.0, "y": 9.0}
    report = wire_report(design, netlist, lef, routes, extracted, 300.0)
    assert lef_capacitance_ff(routes["n6"], lef) == pytest.approx(30 * 0.12)
    wires = {wire.net: wire for wire in report.nets}
    # y drives only a port, which is no sink to the estimate
    assert set(wires) == {"n5", "n6", "a_0", "a_1"}
    assert wires["n6"].vias == 1
    each = wire_ff_per_sink(netlist, CORNERS["value"])
    assert report.ratio == pytest.approx((1.0 + 4.0) / (4 * each))
    assert report.lef_ratio == pytest.approx(40 * 0.12 / (4 * each))
    assert report.ff_per_um == pytest.approx(5.0 / 40)
    # 40 µm for four pins; three cells share 300 µm²
    assert report.pitches_per_sink == pytest.approx(1.0)
    assert report.length_by_layer_um == {"metal1": 0, "metal2": 20, "metal3": 25}
    assert report.clock is not None
    assert report.clock.length_um == 5
    # 5 µm to the one clock pin
    assert report.clock_pitches_per_sink == pytest.approx(0.5)
    shares = report.percentiles()
    assert list(shares) == ["p5", "p25", "p50", "p75", "p95"]
    assert shares["p50"] == pytest.approx(0.5 / each)


def test_schematic_by_hand(tmp_path):
    text = schematic_text(tiny_design(tmp_path), tiny_lef(tmp_path))
    assert ".subckt NAND2 A B Y gnd vdd\n.ends\n" in text
    assert ".subckt tiny vdd gnd clk a_0 a_1 y\n" in text
    assert "\nXg1 a_0 a_1 n5 gnd vdd NAND2\n" in text
    assert text.count("\nX") == 3


def test_parasitics_by_hand(tmp_path):
    design = tiny_design(tmp_path)
    text = spef_text(design, {net: 2.5 for net in design.nets} | {"y": -0.1})
    net = text[text.index("*D_NET n5") :]
    assert net.startswith("*D_NET n5 2.5000\n*CONN\n*I g2:D I\n*I g1:Y O\n*CAP\n1 g1:Y 2.5000\n")
    assert "1 g1:Y g2:D 0.001\n*END" in net
    assert "*P clk I" in text
    assert "*P y O" in text
    assert "*D_NET y 0.0000" in text
    verilog = verilog_text(design)
    assert "module tiny (clk, a_0, a_1, y);" in verilog
    assert "  NAND2 g1 (.A(a_0), .B(a_1), .Y(n5));" in verilog
    assert "  wire n5;\n  wire n6;\n" in verilog


def test_picture_is_drawn(tmp_path):
    design, lef = tiny_design(tmp_path), tiny_lef(tmp_path)
    plan = make_floorplan(design, lef, tiny_placement(), 0.6)
    route_of = {"n5": Route([Segment("metal2", 9, 7, 9, 12), Segment("metal3", 9, 12, 11, 12)])}
    text = picture_svg(design, lef, plan, route_of, "tiny of none")
    root = ET.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    paths = [path.attrib["d"] for path in root.findall(f"{space}g/{space}path")]
    # core, two kinds of cells, two straps with rails, two layers, ports
    assert len(paths) == 1 + 2 + 2 * 2 + 2 + 1
    assert [path.count("z") for path in (paths[1], paths[2], paths[-1])] == [1, 2, 4]
    # in tenths of a micrometre
    assert paths[7:9] == ["M90 70v50", "M90 120h20"]
    words = [item.text for item in root.findall(f"{space}text")]
    assert "metal2" in words
    assert "metal1" not in words
