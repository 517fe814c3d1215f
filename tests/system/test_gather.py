"""Rows of a table by indices on the device."""

import ml_dtypes
import numpy as np
import pytest
from weft import Device, DeviceError
from weft_hw.isa import Status
from weft_hw.presets import preset
from weft_sim.dram import Dram

_SIZES = [(1, 1, 1), (3, 7, 5), (50, 33, 100), (1000, 64, 37), (9, 700, 60), (5, 3, 1500)]


@pytest.fixture(params=["nano", "quad"])
def device(request):
    """One tile or four."""
    with Device("model", request.param, dram=Dram(size_bytes=1 << 21), debug=True) as opened:
        yield opened


@pytest.mark.parametrize(("rows", "columns", "count"), _SIZES)
@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_rows(device, rows, columns, count, dtype):
    """An index of another row or chunk is used, or one that has not been loaded yet."""
    rng = np.random.default_rng([rows, columns, count])
    table = rng.integers(-100, 100, (rows, columns)).astype(dtype)
    indices = rng.integers(0, rows, count, np.int32)
    np.testing.assert_array_equal(device.gather(table, indices), table[indices])


def test_rtl(open_device):
    """The load engine of the chip gathers otherwise than the model's."""
    rng = np.random.default_rng(1)
    device = open_device(debug=True)
    table = rng.integers(-100, 100, (77, 21), np.int8)
    for count in (1, 16, 61):
        indices = rng.integers(0, 77, count, np.int32)
        np.testing.assert_array_equal(device.gather(table, indices), table[indices])


def test_packed_tables():
    """Rows of int4 begin in the middle of a byte."""
    rng = np.random.default_rng(2)
    table = rng.integers(-8, 8, (20, 13)).astype(ml_dtypes.int4)
    indices = rng.integers(0, 20, 40, np.int32)
    with Device("model", preset("micro"), dram=Dram(size_bytes=1 << 20)) as device:
        got = device.gather(table, indices).numpy()
    np.testing.assert_array_equal(got.astype(np.int8), table[indices].astype(np.int8))


@pytest.mark.parametrize("wrong", [20, -1, 2**31 - 1])
def test_indices_out_of_range(open_device, wrong):
    """A row beyond the table is read, the device hangs, or cannot be used afterwards."""
    device = open_device()
    table = device.array(np.arange(60, dtype=np.int8).reshape(20, 3))
    out = device.empty((9, 3), np.int8)
    indices = np.arange(9, dtype=np.int32)
    indices[7] = wrong
    with pytest.raises(DeviceError, match="GATHER") as caught:
        device.gather(table, indices, out=out).numpy()
    assert caught.value.status is Status.INDEX
    indices[7] = 19
    np.testing.assert_array_equal(device.gather(table, indices), table.numpy()[indices])


_T, _I = np.ones((4, 6), np.int8), np.zeros(3, np.int32)


@pytest.mark.parametrize(
    ("table", "indices", "kind", "message"),
    [
        (_T[0], _I, ValueError, "table must have 2 dimensions"),
        (_T, _I.astype(np.int64), TypeError, "indices must have dtype int32, not int64"),
        (_T, _I.reshape(1, 3), ValueError, "indices must have 1 dimension, not shape"),
        (np.ones((2, 40000), np.int16), _I, ValueError, "rows of at most 65535 bytes, not 80000"),
        (np.ones((2, 60000), np.int8), _I, ValueError, "must fit the scratchpad of nano"),
    ],
)
def test_mistakes(table, indices, kind, message):
    """A mistake in what is given ends in wrong rows."""
    with (
        Device("model", "nano", dram=Dram(size_bytes=1 << 20)) as device,
        pytest.raises(kind, match=message),
    ):
        device.gather(table, indices)
