"""Mistakes in what a device and its kernels are given: one clear sentence each."""

import numpy as np
import pytest
from weft import Device
from weft.kernels import Linear, Sequential
from weft_hw.presets import preset
from weft_sim.dram import Dram

_DRAM = Dram(size_bytes=1 << 20)
_A = np.ones((3, 4), np.int8)
_B = np.ones((4, 5), np.int8)


@pytest.fixture(scope="module")
def device():
    """A small device; nothing here reaches it."""
    with Device("model", "nano", dram=_DRAM) as opened:
        yield opened


@pytest.mark.parametrize(
    ("a", "b", "options", "kind", "message"),
    [
        ([1], _B, {}, TypeError, "a must be a numpy array or a DeviceBuffer, not list"),
        (_A.astype(np.float32), _B, {}, TypeError, "a must have dtype int8, not float32; convert"),
        (_A, _B.astype(np.uint8), {}, TypeError, "b must have dtype int8, not uint8"),
        (_A[0], _B, {}, ValueError, r"a must have 2 dimensions, not shape \(4,\)"),
        (_A, _A, {}, ValueError, r"a and b must agree in K: a is \(3, 4\), so b must have 4 rows"),
        (_A[:0], _B, {}, ValueError, r"a must not be zero-sized, not of shape \(0, 4\)"),
        (_A, _B[:, ::2], {}, ValueError, r"b must be C-contiguous.*numpy.ascontiguousarray\(b\)"),
        (_A, _B.T, {}, ValueError, "b must be C-contiguous"),
        (np.ones((65536, 1), np.int8), _B, {}, ValueError, "dimensions of at most 65535"),
        (_A, _B, {"out_dtype": "int16"}, ValueError, "out_dtype must be one of int32, int8"),
        (_A, _B, {"out_dtype": "int8"}, ValueError, "scale must be given for out_dtype int8"),
        (_A, _B, {"relu": True}, ValueError, "relu must be left out for out_dtype int32"),
        (_A, _B, {"zero_point": 1}, ValueError, "zero_point must be left out for out_dtype int32"),
        (_A, _B, {"clamp": (0, 1)}, ValueError, "clamp must be left out for out_dtype int32"),
        (_A, _B, {"scale": 1.0, "out_dtype": "int32"}, ValueError, "scale must be left out"),
        (_A, _B, {"scale": 1.0, "zero_point": 200}, ValueError, "zero_point must be between -128"),
        (_A, _B, {"scale": 1.0, "zero_point": 0.5}, TypeError, "zero_point must be an integer"),
        (_A, _B, {"scale": 1.0, "clamp": (5, 4)}, ValueError, "clamp must have its low end first"),
        (_A, _B, {"scale": 1.0, "clamp": 5}, TypeError, "clamp must be a pair of integers, not 5"),
        (_A, _B, {"scale": float("nan")}, ValueError, "scale must be finite"),
        (
            _A,
            _B,
            {"scale": "1"},
            TypeError,
            "scale must be a numpy array or a DeviceBuffer, not str",
        ),
        (_A, _B, {"scale": np.ones(5)}, TypeError, "scale must have dtype float32, not float64"),
        (_A, _B, {"scale": np.ones(4, np.float32)}, ValueError, r"scale must have shape \(5,\)"),
        (_A, _B, {"bias": np.ones(5)}, TypeError, "bias must have dtype int32, not float64"),
        (
            _A,
            _B,
            {"bias": np.ones(6, np.int32)},
            ValueError,
            r"bias must have shape \(5,\) \(one for",
        ),
        (_A, _B, {"scale": 1.0, "residual": _A}, ValueError, r"residual must have shape \(3, 5\)"),
        (_A, _B, {"residual": _A}, ValueError, "residual must be left out for out_dtype int32"),
        (_A, _B, {"tiles": 2}, ValueError, "tiles must be between 1 and 1, not 2"),
        (_A, _B, {"tiles": "all"}, TypeError, "tiles must be an integer, not 'all'"),
        (
            np.ones((200, 100), np.int8),
            np.ones((100, 200), np.int8),
            {"resident": True},
            ValueError,
            "must fit the scratchpad to be resident; use a smaller one",
        ),
    ],
)
def test_matmul(device, a, b, options, kind, message):
    """A product that cannot be computed is computed wrongly, or ends in a traceback from inside."""
    with pytest.raises(kind, match=message) as caught:
        device.matmul(a, b, **options)
    assert "\n" not in str(caught.value)


def test_buffers_of_another_device(device):
    """A buffer's address is used on a device where something else lies there."""
    with Device("model", "nano", dram=_DRAM) as other:
        theirs = other.array(_B)
        with pytest.raises(ValueError, match="b must be a buffer of this device, not of another"):
            device.matmul(_A, theirs)


def test_freed_buffers(device):
    """A freed buffer's memory is read as an operand."""
    freed = device.array(_B)
    freed.free()
    with pytest.raises(ValueError, match="b is a buffer that was freed"):
        device.matmul(_A, freed)


def test_out_buffer(device):
    """A result is written into a buffer that does not fit it."""
    with pytest.raises(TypeError, match="out must have dtype int32, not int8"):
        device.matmul(_A, _B, out=device.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"out must have shape \(3, 5\)"):
        device.matmul(_A, _B, out=device.zeros((5, 3), np.int32))


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        (("fpga",), {}, ValueError, "target must be one of model, rtl, not 'fpga'"),
        ((7,), {}, TypeError, "target must be model, rtl or a Target, not 7"),
        (
            ("model", "huge"),
            {},
            ValueError,
            "config must be one of nano, .* or the path of a .toml",
        ),
        (("model", 3), {}, TypeError, "config must be a preset's name, a ChipConfig or the path"),
        (("model", "none.toml"), {}, ValueError, "none.toml: cannot be read"),
        (("model", "nano"), {"dram": 64}, TypeError, "dram must be a Dram, not 64"),
        (
            ("model", "nano"),
            {"ring_entries": 12},
            ValueError,
            "ring_entries must be a power of two",
        ),
        (
            ("model", "nano"),
            {"watchdog_cycles": 0},
            ValueError,
            "watchdog_cycles must be between 1",
        ),
    ],
)
def test_opening(arguments, options, kind, message):
    """A device that is not there is opened all the same."""
    with pytest.raises(kind, match=message):
        Device(*arguments, **options)


def test_configuration_from_a_file(tmp_path):
    """A TOML file is taken for another configuration."""
    from weft_hw import toml_config

    path = tmp_path / "mine.toml"
    mine = preset("nano").replace_tile(command_queue_depth=4, microprogram_entries=32)
    toml_config.save(mine, path)
    for source in (path, str(path)):
        with Device("model", source, dram=_DRAM) as opened:
            assert opened.config == mine


@pytest.mark.parametrize(
    ("window", "base", "limit", "message"),
    [
        (0, 0, 4096, r"window must be between 1 and 3 \(0 is the heap\), not 0"),
        (4, 0, 4096, "window must be between 1 and 3"),
        (1, 64, 4096, r"of whole pages of 4096 bytes, not \[64, 4096\)"),
        (1, 8192, 4096, "of whole pages"),
    ],
)
def test_grant(device, window, base, limit, message):
    """The driver's own window, or half a page, is granted away."""
    with pytest.raises(ValueError, match=message):
        device.grant(window, base, limit)


def test_registers(device):
    """A misspelt register reads as zero."""
    with pytest.raises(
        ValueError, match=r"register must be one of IDENTITY, VERSION, .* not 'TALE'"
    ):
        device.registers.read("TALE")


def test_layers(device):
    """Layers that do not fit each other are found out only when run."""
    layer = Linear(device, _B)
    assert layer.shape == (4, 5)
    with pytest.raises(ValueError, match="scale must be given for relu or zero_point, not None"):
        Linear(device, _B, relu=True)
    with pytest.raises(
        ValueError, match="layer 1 must take the 5 columns that layer 0 gives, not 4"
    ):
        Sequential([layer, layer])
    with pytest.raises(ValueError, match="layers must be at least one"):
        Sequential([])
