"""A whole chip: areas and watts by hand, its floorplan to scale, power of a program."""

import itertools
import re
from xml.etree import ElementTree

import pytest
from weft.cli import main
from weft.synth.chip_estimate import DERATE, estimate_chip
from weft.synth.chip_power import activity_of_counts
from weft.synth.floorplan import Box, floorplan_svg, place_chip, slice_and_dice
from weft.synth.unit_costs import UnitCost, default_table
from weft_hw.presets import PRESETS, preset

TABLE = default_table()


def _flat_table():
    """The project's table with every area 100 um2, every energy 1 pJ, every clock 1 GHz but that of
    the lane, 0.5, and no clock energy."""
    changed = {}
    for key, row in TABLE.items():
        value = row.value
        if key.startswith("synth.asap7."):
            if key.endswith(".area_um2"):
                value = 100.0
            elif key.endswith(".frequency_ghz"):
                value = 0.5 if ".lane." in key else 1.0
            elif key.endswith(("zeros_held", ".zeros", ".idle")):
                value = 1e-9
            elif ".energy_fj." in key:
                value = 1000.0
        changed[key] = UnitCost(key, value, value / 2, value * 2, row.unit, row.kind, "")
    return changed


def test_a_chip_is_counts_times_unit_costs():
    estimate = estimate_chip(preset("base8"), _flat_table(), "asap7", 1.0)
    assert estimate.limited_by == "lane"
    assert estimate.frequency_ghz.value == 0.5
    assert estimate.peak_tops == pytest.approx(0.256)
    parts = {part.name: part for part in estimate.parts}
    elements = parts["processing elements"].area_mm2
    assert (elements.value, elements.low, elements.high) == pytest.approx((0.0256, 0.0128, 0.0512))
    assert parts["scratchpad (KiB)"].count == 256
    bit = TABLE["synth.asap7.sram.area_um2_per_bit"].value
    # 72 bits stored for 64
    kept = 256 * 8192 * bit * 1e-6 * 72 / 64
    assert parts["scratchpad (KiB)"].area_mm2.value == pytest.approx(kept, rel=1e-3)
    power = {line.name: line.power_w.value for line in estimate.power}
    # 256 MACs of 1 pJ each 2 ns
    assert power["processing elements"] == pytest.approx(0.128, rel=1e-6)


def test_an_idle_chip_takes_its_clocks_and_a_hot_one_the_most():
    estimate = estimate_chip(preset("base"), TABLE, "asap7", 0.5)
    assert estimate.activity.format == "bf16"
    assert 0 < estimate.idle_w.value < estimate.power_w.value < estimate.tdp_w.value
    more = estimate_chip(preset("base"), TABLE, "asap7", 0.9)
    assert more.power_w.value > estimate.power_w.value
    assert more.tdp_w == estimate.tdp_w


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("node", ["nangate45", "n5"])
def test_any_configuration_on_any_node(name, node):
    estimate = estimate_chip(preset(name), TABLE, node)
    area = estimate.area_mm2
    assert 0 < area.low < area.value < area.high
    assert sum(DERATE.values()) == pytest.approx(0.25)
    mesh = preset(name).mesh
    ElementTree.fromstring(floorplan_svg(estimate, mesh.cols, mesh.rows, mesh.memory_endpoints))


def test_power_follows_the_counts_of_a_program():
    config = preset("base8")
    counts = {"array_steps": 500, "rows_drained": 32, "bytes_loaded": 8000, "bytes_stored": 1000,
              "request_flits": 300, "response_flits": 600}  # fmt: skip
    activity = activity_of_counts(config, counts, 1000)
    assert (activity.array_steps, activity.bytes_loaded) == (0.5, 8.0)
    busy = estimate_chip(config, TABLE, "asap7", activity=activity)
    half = estimate_chip(config, TABLE, "asap7", 0.5)
    elements = [e.power[0].power_w.value for e in (busy, half)]
    assert elements[0] == pytest.approx(elements[1])
    with pytest.raises(ValueError, match="cycles must be positive, not 0"):
        activity_of_counts(config, counts, 0)


def test_a_program_through_the_command_line(capsys, tmp_path):
    drawing = tmp_path / "out" / "chip.svg"
    arguments = ["synth", "--chip", "nano", "--program", "8x16x8", "--floorplan", str(drawing)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "10 % wires and their repeaters" in out
    assert "thermal design power" in out
    assert drawing.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--node", "n1"], "node must be among osu018"),
        (["--utilisation", "2"], "utilisation must be from 0 to 1, not 2"),
        (["--format", "bf16"], "format must be among int8, which nano has, not 'bf16'"),
        (["--program", "8x8"], "program must be MxKxN, three positive integers, not '8x8'"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
    assert main(["synth", "--chip", "nano", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_table_without_a_block_says_how_to_measure_it():
    table = {k: row for k, row in TABLE.items() if ".lane." not in k}
    with pytest.raises(ValueError, match=r"no lane\.area_um2: measure it with weft synth --all"):
        estimate_chip(preset("base"), table, "asap7")


def _overlap(a, b):
    wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(wide, 0.0) * max(high, 0.0)


def test_areas_fill_a_box_without_overlap():
    areas = [("a", 5.0), ("b", 3.0), ("c", 1.0), ("d", 0.5), ("e", 0.5)]
    boxes = slice_and_dice(areas, Box("", 1.0, 2.0, 4.0, 2.5))
    assert {box.group: box.area for box in boxes} == pytest.approx(dict(areas))
    assert all(_overlap(*pair) < 1e-9 for pair in itertools.combinations(boxes, 2))


def test_the_floorplan_has_every_square_millimetre():
    """A block drawn at another size than the estimate says."""
    config = preset("quad")
    estimate = estimate_chip(config, TABLE, "asap7")
    die, tiles, west = place_chip(estimate, 2, 2, 2)
    assert die.area == pytest.approx(estimate.area_mm2.value)
    boxes = [*itertools.chain(*tiles), *west]
    assert all(_overlap(*pair) < 1e-9 for pair in itertools.combinations(boxes, 2))
    for box in boxes:
        assert -1e-9 <= box.x <= box.x + box.width <= die.width + 1e-9
        assert -1e-9 <= box.y <= box.y + box.height <= die.height + 1e-9
    drawn = sum(box.area for box in itertools.chain(*tiles))
    counted = sum(part.area_mm2.value for part in estimate.parts if part.per_tile)
    assert drawn == pytest.approx(counted)


def test_the_drawing_is_to_scale_and_labelled():
    config = preset("base")
    estimate = estimate_chip(config, TABLE, "asap7")
    text = floorplan_svg(estimate, 1, 1, 1)
    root = ElementTree.fromstring(text)
    names = "".join(root.itertext())
    for name in ("array", "scratchpad", "accumulator", "vector", "endpoint", "control", "mm²"):
        assert name in names
    _, ((*boxes,),), _ = place_chip(estimate, 1, 1, 1)
    widths = [float(w) for w in re.findall(r"<rect x='[\d.]+' y='[\d.]+' width='([\d.]+)'", text)]
    scale = widths[0] / boxes[0].width
    for box, width in zip(boxes, widths, strict=False):
        assert width == pytest.approx(box.width * scale, abs=0.02)
