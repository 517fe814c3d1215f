"""Placement made legal and written for the tools: all without them, on a library of round
numbers."""

import re
from itertools import pairwise

import pytest
from tiny_layout import LEF, tiny_design, tiny_lef, tiny_netlist, tiny_placement
from weft.layout.def_file import def_text, read_routes, with_supply
from weft.layout.design import to_design
from weft.layout.floorplan import make_floorplan, spread
from weft.layout.lef import read_lef
from weft.layout.placement import Placed, cel_text, parameters_text, read_placement
from weft.synth.errors import FlowError, LibertyError


def test_lef_by_hand(tmp_path):
    lef = tiny_lef(tmp_path)
    assert list(lef.layers) == ["metal1", "metal2", "metal3"]
    assert [layer.vertical for layer in lef.layers.values()] == [False, True, False]
    assert lef.layers["metal2"].wire_ff_per_um == pytest.approx(0.12)
    assert lef.site_um == 1
    nand = lef.macro("NAND2")
    assert (nand.width_um, nand.height_um) == (3, 10)
    assert nand.pins["B"].centre_um == pytest.approx((1.5, 4.5))
    assert nand.pins["vdd"].use == "POWER"
    assert nand.obstructions == [("metal1", 1, 1, 1.2, 2)]
    with pytest.raises(LibertyError, match="the LEF file has no cell AND9"):
        lef.macro("AND9")


@pytest.mark.parametrize("text", ["", LEF[LEF.index("MACRO") :], LEF[: LEF.index("MACRO")]])
def test_not_a_lef(text, tmp_path):
    path = tmp_path / "x.lef"
    path.write_text(text)
    with pytest.raises(LibertyError, match="no routing layers or no cells"):
        read_lef(path)
    with pytest.raises(LibertyError, match="cannot be read as a LEF file"):
        read_lef(tmp_path / "none.lef")


def test_names_of_nets(tmp_path):
    design = tiny_design(tmp_path)
    assert design.ports == {"clk": "input", "a_0": "input", "a_1": "input", "y": "output"}
    assert design.nets["n5"] == [("g2", "D"), ("g1", "Y")]
    assert design.nets["y"] == [("g3", "Y")]
    assert design.cell_area_um2 == 10 * (3 + 6 + 2)


def test_what_cannot_be_laid_out(tmp_path):
    lef, netlist = tiny_lef(tmp_path), tiny_netlist(tmp_path)
    netlist.inputs["a_1"] = [8]
    with pytest.raises(FlowError, match="two port bits of tiny would both be named a_1"):
        to_design(netlist, lef)
    netlist = tiny_netlist(tmp_path)
    netlist.outputs["z"] = [3]
    with pytest.raises(FlowError, match="ports a_0 and z of tiny are one net"):
        to_design(netlist, lef)
    netlist = tiny_netlist(tmp_path)
    netlist.ordered[0].nets["B"] = 1
    with pytest.raises(FlowError, match="pin B of g1 in tiny is tied to vdd"):
        to_design(netlist, lef)


def test_graywolf_netlist_by_hand(tmp_path):
    text = cel_text(tiny_design(tmp_path), tiny_lef(tmp_path))
    # cells are numbered flip-flops first and given around their centres, in 1/100 µm
    assert text.startswith("cell 0 g2\nleft -300 right 300 bottom -500 top 500\n")
    assert "cell 1 g1\n" in text
    assert "pin name B signal a_1 layer 1 0 -50\n" in text
    assert "pin name Q signal n6 layer 1 250 50\n" in text
    assert "pad 1 name twpin_clk\ncorners 4 -50 -50 -50 50 50 50 50 -50\n" in text
    assert text.count("pad ") == 4


def test_parameters_have_one_number_of_rows():
    text = parameters_text("TWMC*x : 1\n# GENR*numrows : 6\nGENR*numrows : 2\n", 17)
    assert text == "TWMC*x : 1\nGENR*numrows: 17\n"


def test_graywolf_placement_by_hand(tmp_path):
    path = tmp_path / "x.pl1"
    path.write_text(
        "g1 -139 -200 161 800 3 1\ng2 161 -200  761 800  1 1\n"
        "g3 -139 800 61 1800 0 2\ntwpin_clk -539 260 -439 340 7 -1\n"
    )
    placement = read_placement(path)
    assert placement.cells[1] == Placed("g2", 1.61, 1, "FS")
    assert [cell.orientation for cell in placement.cells] == ["S", "FS", "N"]
    assert placement.ports == {"clk": pytest.approx((-3.5, 5.0))}
    path.write_text("g1 1 2 3\n")
    with pytest.raises(FlowError, match="'g1 1 2 3' is no placed cell"):
        read_placement(path)
    with pytest.raises(FlowError, match="graywolf wrote no placement"):
        read_placement(tmp_path / "none")


@pytest.mark.parametrize(
    ("widths", "total", "places"),
    [
        ([2, 3], 5, [0, 2]),  # full
        ([2, 2, 2], 9, [0, 3, 6]),  # a gap after each
        ([1, 1, 1, 1], 6, [0, 1, 3, 4]),  # fewer gaps than cells
        ([], 4, []),
    ],
)
def test_spread(widths, total, places):
    assert spread(widths, total) == places


def test_spread_too_wide():
    with pytest.raises(ValueError, match="cells of 5 sites do not fit a row of 4"):
        spread([2, 3], 4)


@pytest.mark.parametrize("utilisation", [0.9, 0.6, 0.3])
def test_rows_are_full_and_nothing_overlaps(utilisation, tmp_path):
    design, lef = tiny_design(tmp_path), tiny_lef(tmp_path)
    plan = make_floorplan(design, lef, tiny_placement(), utilisation)
    left, bottom, right, top = plan.core
    assert {part.name for part in design.parts} <= {part.name for part in plan.components}
    for row, y in enumerate((bottom, bottom + 10)):
        spans = sorted(
            (part.x_um, part.x_um + lef.macro(part.macro).width_um)
            for part in plan.components
            if part.y_um == y
        )
        assert spans[0][0] == left
        assert spans[-1][1] == pytest.approx(right)
        assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(spans))
        assert {p.orientation in ("N", "FN") for p in plan.components if p.y_um == y} == {row == 1}
    assert top == bottom + 20
    # whole sites, so a little more room than asked for
    assert design.cell_area_um2 / plan.core_area_um2 <= utilisation + 1e-9
    # pins of cells lie on tracks: centres at half pitches of cells, cells half a pitch off
    nand = next(part for part in plan.components if part.name == "g1")
    assert (nand.x_um + lef.macro("NAND2").pins["A"].centre_um[0]) % 1 == pytest.approx(0)


def test_ports_lie_on_tracks_of_their_own(tmp_path):
    plan = make_floorplan(tiny_design(tmp_path), tiny_lef(tmp_path), tiny_placement(), 0.6)
    left, bottom, right, _ = plan.core
    ports = {port.name: port for port in plan.ports}
    assert ports["clk"].x_um < left
    assert ports["y"].x_um > right
    assert ports["a_0"].y_um < bottom
    assert {ports["clk"].layer, ports["y"].layer} == {"metal3"}
    assert ports["a_0"].layer == "metal2"
    assert len({(port.x_um, port.y_um) for port in plan.ports}) == 4
    assert all(port.x_um % 1 == 0 and port.y_um % 1 == 0 for port in plan.ports)
    die_right, die_top = plan.die[2:]
    assert all(0 < port.x_um < die_right and 0 < port.y_um < die_top for port in plan.ports)


def test_too_many_ports_on_an_edge(tmp_path):
    placement = tiny_placement()
    placement.ports |= {f"p{index}": (3.0, 22.0) for index in range(40)}
    with pytest.raises(FlowError, match=r"the north edge has \d+ tracks for 40 ports"):
        make_floorplan(tiny_design(tmp_path), tiny_lef(tmp_path), placement, 0.9)


def test_rows_that_are_not_mirrored(tmp_path):
    placement = tiny_placement()
    placement.cells[2] = Placed("g2", 0.0, 2, "FS")
    with pytest.raises(FlowError, match="row 2 of tiny is not mirrored"):
        make_floorplan(tiny_design(tmp_path), tiny_lef(tmp_path), placement, 0.6)


def test_supply_is_added_after_routing(tmp_path):
    """The router takes signals for its supply if its input has supply nets."""
    design, lef = tiny_design(tmp_path), tiny_lef(tmp_path)
    plan = make_floorplan(design, lef, tiny_placement(), 0.6)
    text = def_text(design, lef, plan)
    assert "SPECIALNETS" not in text
    assert "vdd" not in text
    assert "PINS 4 ;" in text
    assert "- n5\n  ( g2 D )\n  ( g1 Y ) ;" in text
    assert "- y\n  ( PIN y )\n  ( g3 Y ) ;" in text
    assert text.count("+ PLACED") == len(plan.components) + 4
    for routed in (
        text,
        text.replace("END DESIGN", "SPECIALNETS 1 ;\n- n5\n;\nEND SPECIALNETS\n\nEND DESIGN"),
    ):
        full = with_supply(routed, plan, lef)
        assert "PINS 6 ;" in full
        count = 3 if routed != text else 2
        assert f"SPECIALNETS {count} ;\n- gnd\n" in full
        assert full.count("SPECIALNETS") == 2
        # three rails of two rows: gnd is the middle one; three vias each
        supply = full[full.index("SPECIALNETS") :]
        assert supply.count("M2_M1") == 3 * 3
    left, bottom, right, top = plan.core
    gnd, vdd = plan.straps
    # the lowest row is mirrored: its upper rail, shared with the second row, is gnd
    assert (gnd.net, gnd.rails_um) == ("gnd", (bottom + 10,))
    assert (vdd.net, vdd.rails_um) == ("vdd", (bottom, top))
    assert gnd.x_um + gnd.width_um / 2 < left
    assert vdd.x_um - vdd.width_um / 2 > right


def test_lines_the_router_can_read(tmp_path):
    """It loses what straddles 2047 characters: four of 990 clock pins were left open."""
    design, lef = tiny_design(tmp_path), tiny_lef(tmp_path)
    plan = make_floorplan(design, lef, tiny_placement(), 0.6)
    design.nets["clk"] = [(f"g{index}", "CK") for index in range(1000)]
    text = def_text(design, lef, plan)
    assert text.count(" CK )") == 1000
    assert max(map(len, text.splitlines())) < 200


def test_routes_by_hand(tmp_path):
    path = tmp_path / "x.def"
    path.write_text(
        "UNITS DISTANCE MICRONS 100 ;\nNETS 2 ;\n- n5\n  ( g2 D ) ( g1 Y )\n"
        "+ ROUTED metal1 ( 100 200 ) M2_M1\n  NEW metal2 ( 100 200 ) ( * 500 ) M3_M2\n"
        "  NEW metal3 ( 100 500 ) ( 350 * ) ( 350 600 ) ;\n- y\n  ( PIN y ) ( g3 Y )\n;\n"
        "END NETS\n"
    )
    routes = read_routes(path)
    assert routes["n5"].length_um == pytest.approx(3 + 2.5 + 1)
    assert [s.layer for s in routes["n5"].segments] == ["metal2", "metal3", "metal3"]
    assert routes["n5"].vias == [("M2_M1", 1, 2), ("M3_M2", 1, 5)]
    assert not routes["y"].segments
    path.write_text("DESIGN x ;\n")
    with pytest.raises(FlowError, match="has no units or nets"):
        read_routes(path)


def test_obstructions_leave_ports_a_way_in(tmp_path):
    """A port's layer is free from the port to the core, on its own side."""
    lef = tiny_lef(tmp_path)
    plan = make_floorplan(tiny_design(tmp_path), lef, tiny_placement(), 0.6)
    left, bottom, right, top = plan.core
    for port in plan.ports:
        inwards = (
            min(max(port.x_um, left), right),
            min(max(port.y_um, bottom), top),
        )
        for layer, x0, y0, x1, y1 in plan.obstructions(lef):
            if layer != port.layer:
                continue
            for x, y in ((port.x_um, port.y_um), inwards):
                assert not (x0 < x < x1 and y0 < y < y1)
    assert re.fullmatch(r"metal1", plan.obstructions(lef)[0][0])
