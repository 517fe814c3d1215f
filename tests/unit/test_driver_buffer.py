"""Buffers and numpy, on the cycle model."""

import gc

import numpy as np
import pytest
from weft import Device, DeviceMemoryError
from weft_sim.dram import Dram


@pytest.fixture
def device():
    """A small device."""
    with Device("model", "nano", dram=Dram(size_bytes=1 << 20), ring_entries=16) as opened:
        yield opened


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.float32, np.float64, np.int64])
def test_copy_in_and_out(device, dtype):
    """Bytes change on their way to the device and back."""
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    buffer = device.array(array)
    assert (buffer.shape, buffer.dtype, buffer.size, buffer.ndim, len(buffer)) == (
        array.shape, array.dtype, 60, 3, 3,
    )  # fmt: skip
    np.testing.assert_array_equal(buffer.numpy(), array)
    np.testing.assert_array_equal(np.asarray(buffer), array)
    np.testing.assert_array_equal(buffer, array)


def test_views_share_memory(device):
    """A view is a copy, so that what is written to it never reaches the device."""
    buffer = device.zeros((4, 4), np.int32)
    view = buffer.numpy()
    view[2, 3] = 7
    assert np.shares_memory(view, device.target.memory)
    assert np.asarray(buffer)[2, 3] == 7
    assert np.shares_memory(np.asarray(buffer), view)
    assert not np.shares_memory(np.array(buffer, copy=True), view)
    assert np.asarray(buffer, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="dtype float32 needs a copy"):
        np.asarray(buffer, dtype=np.float32, copy=False)


def test_dlpack(device):
    """DLPack hands over other bytes, or a copy."""
    buffer = device.array(np.arange(10, dtype=np.int32))
    imported = np.from_dlpack(buffer)
    np.testing.assert_array_equal(imported, np.arange(10))
    assert np.shares_memory(imported, device.target.memory)


def test_copy_from(device):
    """A copy of another dtype or shape is cut to fit."""
    buffer = device.zeros((2, 3), np.int8)
    buffer.copy_from(np.full((2, 3), 4, np.int8))
    assert (buffer.numpy() == 4).all()
    with pytest.raises(TypeError, match="array must have dtype int8, not int16"):
        buffer.copy_from(np.zeros((2, 3), np.int16))
    with pytest.raises(ValueError, match=r"array must have shape \(2, 3\), not \(3, 2\)"):
        buffer.copy_from(np.zeros((3, 2), np.int8))
    with pytest.raises(TypeError, match="array must be a numpy array, not list"):
        buffer.copy_from([[1, 2, 3]])


def test_use_after_free(device):
    """A freed buffer is read, or handed to a kernel."""
    buffer = device.zeros((4, 4))
    buffer.free()
    assert buffer.is_freed
    assert "freed" in repr(buffer)
    with pytest.raises(ValueError, match=r"buffer of shape \(4, 4\) was freed; allocate a new one"):
        buffer.numpy()
    with pytest.raises(ValueError, match="was freed"):
        np.asarray(buffer)
    with pytest.raises(ValueError, match=r"buffer of shape \(4, 4\) was freed twice"):
        buffer.free()


def test_forgotten_buffers_are_freed(device):
    """Memory leaks until the device is full."""
    for _ in range(50):
        device.zeros((100_000,))
    gc.collect()
    assert device.allocator.used_bytes == 0


def test_out_of_memory(device):
    """A buffer reaches beyond the memory."""
    with pytest.raises(
        DeviceMemoryError, match=r"no free block of 2097152 bytes .* larger size_bytes"
    ):
        device.empty((1 << 20,), np.int16)


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "message"),
    [
        ((0, 4), np.int8, ValueError, r"shape must not be zero-sized, not \(0, 4\)"),
        (-1, np.int8, ValueError, r"shape must not be zero-sized, not \(-1,\)"),
        ((1.5,), np.int8, TypeError, r"shape must hold integers, not 1.5"),
        ((2,), object, TypeError, "dtype must be of numbers in native byte order, not object"),
        ((2,), ">i4", TypeError, "native byte order, not >i4"),
    ],
)
def test_empty_mistakes(device, shape, dtype, kind, message):
    """A buffer of nothing, or of objects, is allocated."""
    with pytest.raises(kind, match=message):
        device.empty(shape, dtype)


@pytest.mark.parametrize(
    ("array", "kind", "message"),
    [
        ([1, 2], TypeError, "array must be a numpy array or a DeviceBuffer, not list"),
        (np.zeros((0, 3)), ValueError, r"array must not be zero-sized, not of shape \(0, 3\)"),
        (
            np.zeros((4, 4))[:, ::2],
            ValueError,
            r"C-contiguous, .* pass numpy.ascontiguousarray\(array\)",
        ),
        (np.array([None]), TypeError, "array must hold numbers in native byte order"),
    ],
)
def test_array_mistakes(device, array, kind, message):
    """An array that cannot be copied as it is arrives scrambled."""
    with pytest.raises(kind, match=message):
        device.array(array)


def test_closed_device():
    """A closed device is used, and its target with it."""
    device = Device("model", "nano", dram=Dram(size_bytes=1 << 20))
    buffer = device.zeros((4,))
    device.close()
    device.close()
    for use in (buffer.numpy, buffer.free, device.synchronize, lambda: device.submit([])):
        with pytest.raises(ValueError, match="device is closed; open a new one"):
            use()
