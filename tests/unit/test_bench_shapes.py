"""The marks that listed shapes are held to."""

import pytest
from weft.bench.shapes import SHAPES, Shape, _ceiling
from weft.compiler.cost import shape_ceiling
from weft.gemm import gemm_report
from weft_hw.presets import preset
from weft_sim.dram import Dram

_RATE = 32


def test_ceiling_by_hand():
    """A ceiling counts reads and writes as if each had a bus of its own."""
    shape = Shape("", 8192, 64, 16)
    bytes_moved = 2 * (8192 * 64 + 64 * 16) + 4 * 8192 * 16
    by_memory = 8192 * 64 * 16 / 256 / (bytes_moved / _RATE)
    assert _ceiling(preset("base"), shape, "bf16", _RATE) == pytest.approx(by_memory)
    by_array = shape_ceiling(preset("base"), 512, 512, 512)
    assert _ceiling(preset("base"), Shape("", 512, 512, 512), "bf16", _RATE) == by_array


@pytest.mark.parametrize(("m", "k", "n"), [(1024, 64, 16), (128, 32, 128), (1, 512, 512)])
def test_no_shape_is_above_its_ceiling(m, k, n):
    """A ceiling is lower than what the chip does."""
    dram = Dram(bytes_per_cycle=_RATE)
    report = gemm_report(m, k, n, dtype="bf16", preset="base", dram=dram)
    assert report["utilisation"] <= _ceiling(preset("base"), Shape("", m, k, n), "bf16", _RATE)


def test_enough_shapes():
    """Shapes are listed twice, or fewer than fifty."""
    assert len({(shape.m, shape.k, shape.n) for shape in SHAPES}) == len(SHAPES) >= 50
