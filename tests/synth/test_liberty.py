"""Liberty files: what is read, and the one sentence for each that cannot be used."""

import gzip
import sys
from pathlib import Path

import pytest
from weft.synth.cells import cell_from_group
from weft.synth.errors import LibertyError, ToolError
from weft.synth.expression import evaluate, parse_expression, to_verilog
from weft.synth.liberty import parse_group, read_liberty
from weft.synth.library import load_library

sys.path.insert(0, str(Path(__file__).parent))
from tiny_library import GATES, HEADER, write_tiny


def test_plain_and_compressed_files_give_the_same_cells(tmp_path):
    plain = write_tiny(tmp_path / "tiny.lib")
    packed = tmp_path / "tiny.lib.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    one, other = load_library([plain]), load_library([packed])
    assert one.cell_names == other.cell_names == ["INV", "BUF", "NAND2", "XOR2", "DFF"]
    assert one.sha256 != other.sha256
    assert other.plain_files(tmp_path / "plain")[0].read_text().startswith("library (tiny)")


def test_units_become_ps_ff_fj_nw(tmp_path):
    text = HEADER.replace('"1ps"', '"1ns"').replace("(1, ff)", "(0.5, pf)").replace("1nW", "1uW")
    path = tmp_path / "units.lib"
    path.write_text(text + GATES + "}\n")
    file = read_liberty(path)
    cell = cell_from_group(parse_group(file.cells["INV"], "INV"), file.header)
    arc = cell.pins["Y"].timing[0]
    assert arc.delay[0].at(0, 0) == pytest.approx(10_000)
    assert cell.pins["A"].capacitance_ff == pytest.approx(1000)
    assert cell.pins["Y"].energy[0].energy[0].at(0, 0) == pytest.approx(1500)
    assert cell.leakage_nw == pytest.approx(5000)


def test_rails_are_two_views_of_one_energy(tmp_path):
    rails = """  cell (RAILS) { area : 1;
    pg_pin (VDD) { pg_type : primary_power; } pg_pin (VSS) { pg_type : primary_ground; }
    pin (A) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "A";
      internal_power () { related_pin : "A"; related_pg_pin : VDD;
        rise_power (scalar) { values ("6"); } fall_power (scalar) { values ("-2"); } }
      internal_power () { related_pin : "A"; related_pg_pin : VSS;
        rise_power (scalar) { values ("-2"); } fall_power (scalar) { values ("6"); } } } }
"""
    library = load_library([write_tiny(tmp_path / "rails.lib", text=rails)])
    (arc,) = library.cell("RAILS").pins["Y"].energy
    assert sum(table.at(0, 0) for table in arc.energy) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("module x; endmodule", "is no Liberty file"),
        (
            HEADER + "  cell (A) { area : 1; pin (Y) {\n",
            "does not parse: the cell near line .* is not closed",
        ),
        (HEADER + "}\n", "has no cells"),
        (HEADER + GATES + "}\n", r"has no flip-flop \(no cell with an ff group\): give all files"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, content, message):
    path = tmp_path / "bad.lib"
    path.write_text(content)
    with pytest.raises(LibertyError, match=message):
        load_library([path])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LibertyError, match=r"none\.lib cannot be read as a Liberty file"):
        load_library([tmp_path / "none.lib"])


def test_a_missing_program_comes_with_its_apt_line(monkeypatch):
    from weft.synth import tools

    monkeypatch.setenv("WEFT_STA", "/nowhere/sta")
    with pytest.raises(ToolError, match="apt-get install opensta"):
        tools.opensta()


@pytest.mark.parametrize(
    ("text", "true_for"),
    [
        ("!A", {0, 2}),
        ("A'", {0, 2}),
        ("A B", {3}),
        ("A*B", {3}),
        ("(A&!B)|(!A&B)", {1, 2}),
        ("A^B", {1, 2}),
        ("A+B", {1, 2, 3}),
        ("A + B'", {0, 1, 3}),
        ("!(A & B)", {0, 1, 2}),
        ("1", {0, 1, 2, 3}),
    ],
)
def test_functions(text, true_for):
    tree = parse_expression(text)
    got = {n for n in range(4) if evaluate(tree, {"A": n & 1, "B": n >> 1}, 0) & 1}
    assert got == true_for
    assert "A" in to_verilog(tree) or text == "1"


@pytest.mark.parametrize("text", ["A &", "(A", "A $ B", ""])
def test_functions_that_do_not_parse(text):
    with pytest.raises(LibertyError, match="function"):
        parse_expression(text)
