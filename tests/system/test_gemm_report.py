"""The numbers that ``weft gemm`` prints."""

from itertools import product

import numpy as np
import pytest
from weft import gemm_report
from weft.array_window import array_window
from weft.compiler.cost import shape_ceiling
from weft.gemm_operands import expected, random_operands
from weft.quantise import MxArray
from weft_hw.presets import preset
from weft_sim.dram import Dram

_KEYS = {
    "bit_exact", "cycles", "macs", "utilisation", "ceiling", "bytes_read", "bytes_written",
    "sim_cycles_per_second", "wall_s", "preset", "dtype", "target", "seed", "model_cycles",
    "model_error",
}  # fmt: skip


def test_report(target):
    """A number is missing, or is not what its name says."""
    report = gemm_report(40, 48, 56, preset="quad", target=target, seed=3)
    assert report.keys() >= _KEYS
    assert report["bit_exact"] is True
    assert report["macs"] == 40 * 48 * 56
    assert report["utilisation"] == report["macs"] / (4 * 64 * report["cycles"])
    assert report["ceiling"] == shape_ceiling(preset("quad"), 40, 48, 56)
    assert 0 < report["utilisation"] < report["ceiling"] <= 1
    assert report["bytes_written"] == 40 * 56 * 4
    assert report["bytes_read"] >= 40 * 48 + 48 * 56
    if target == "model":
        assert (report["model_cycles"], report["model_error"]) == (report["cycles"], None)
    else:
        assert report["model_error"] == report["model_cycles"] / report["cycles"] - 1
        assert abs(report["model_error"]) < 0.1
    assert (report["preset"], report["dtype"], report["target"], report["seed"]) == (
        "quad", "int8", target, 3,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "int4", "bf16", "fp8e4m3", "fp8e5m2", "mxfp8"])
def test_every_format(dtype):
    """A format is checked against another's golden, or its operands are all alike."""
    report = gemm_report(33, 70, 41, dtype, "micro", dram=Dram(size_bytes=1 << 21))
    assert report["bit_exact"]
    assert report["dtype"] == dtype
    assert report["bytes_written"] == 33 * 41 * 4
    config = preset("micro")
    a, b = random_operands(config, dtype, 33, 70, 41, 0)
    sums = expected(config, a, b)
    assert len(np.unique(sums)) > 500
    values = [x.numpy() if isinstance(x, MxArray) else x.astype(np.float64) for x in (a, b)]
    np.testing.assert_allclose(sums, values[0] @ values[1], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("dtype", ["int4", "bf16", "fp8e4m3", "mxfp8"])
def test_formats_that_a_preset_lacks(dtype):
    """A preset computes in a format that it is not built with."""
    with pytest.raises(ValueError, match=r"formats that nano is built with \(int8\), not"):
        gemm_report(4, 4, 4, dtype, "nano")


def test_resident_report_reads_nothing(target):
    """Loading operands is counted into a product whose operands are said to be there."""
    report = gemm_report(32, 32, 32, preset="nano", target=target, resident=True)
    assert report["bit_exact"]
    assert report["bytes_read"] == 0


def test_array_reaches_its_ceiling(target):
    """The array idles between blocks, or before the first or after the last one."""
    r = preset("base").tile.array_rows
    sizes = (1, r - 1, r, r + 1, 3 * r + 5, 16 * r)
    for m, k, n in product(sizes, repeat=3):
        report = array_window(m, k, n, target=target)
        assert report["bit_exact"], (m, k, n)
        assert 0.95 <= report["fraction"] <= 1.0, (m, k, n)


def test_512_cubed_on_base():
    """The plan leaves the array waiting for memory, at the start, in between or at the end."""
    report = gemm_report(512, 512, 512)
    assert report["bit_exact"]
    assert report["utilisation"] >= 0.97


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((0, 1, 1), {}, ValueError, "M must be between 1 and 65535, not 0"),
        ((1, 65536, 1), {}, ValueError, "K must be between 1 and 65535, not 65536"),
        ((1, 1, 1.0), {}, TypeError, "N must be an integer, not 1.0"),
        ((1, 1, 1), {"dtype": "fp7"}, ValueError, "dtype must be one of int8, int4, bf16"),
        ((1, 1, 1), {"preset": "huge"}, ValueError, "config must be one of nano"),
        ((1, 1, 1), {"target": "fpga"}, ValueError, "target must be one of model, rtl"),
    ],
)
def test_mistakes(arguments, options, kind, message):
    """A size that the chip does not have is run as another."""
    with pytest.raises(kind, match=message):
        gemm_report(*arguments, **options)
