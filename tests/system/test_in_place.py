"""Results where an operand is: refused where a value could be overwritten before it is read, and
the same bits as elsewhere where it cannot.
"""

from collections.abc import Callable, Iterator

import ml_dtypes
import numpy as np
import pytest
from weft import Device, DeviceBuffer

BF16 = ml_dtypes.bfloat16


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    with Device("model", "micro") as opened:
        yield opened


def small(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-9, 10, shape, dtype=np.int8)


def real(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal(shape).astype(BF16)


#: What is called -> the operand that ``out`` is, or shares memory with; all are of several blocks.
REFUSED: dict[str, tuple[str, Callable[[Device], DeviceBuffer]]] = {
    "matmul, left": (
        "a",
        lambda d: d.matmul(a := d.array(small(80, 80)), small(80, 80), scale=0.1, out=a[:]),
    ),
    "matmul, right": (
        "b",
        lambda d: d.matmul(small(80, 80), b := d.array(small(80, 80)), scale=0.1, out=b),
    ),
    "matmul, rows of the residual moved": (
        "residual",
        lambda d: d.matmul(
            real(80, 40), real(40, 40), residual=(r := d.array(real(160, 40)))[:80], out=r[1:81],
            out_dtype=BF16,
        ),
    ),
    "gather": ("table", lambda d: d.gather(t := d.array(real(80, 16)), index(d), out=t)),
    "convolution": (
        "x",
        lambda d: d.conv2d(
            x := d.array(small(1, 9, 9, 8)), small(3, 3, 8, 8), padding=1, scale=0.1, out=x
        ),
    ),
    "pooling": (
        "x",
        lambda d: d.max_pool2d(
            x := d.array(real(1, 9, 9, 8)), 3, stride=1, padding=1, out=x
        ),
    ),
    "attention": ("k", lambda d: d.attention(real(1, 16, 8), k := kept(d), k, heads=1, out=k)),
    "softmax, rows moved": ("x", lambda d: d.softmax((x := d.array(real(81, 40)))[:80], out=x[1:])),
    "gelu, rows moved back": ("x", lambda d: d.gelu((x := d.array(real(81, 40)))[1:], out=x[:80])),
    "add, behind the first piece": (
        "y",
        lambda d: d.add(real(80, 40), (y := d.array(real(160, 40)))[:80], out=y[79:159]),
    ),
    "causal softmax, mask of the next matrix": (
        "mask",
        lambda d: d.softmax(
            real(2, 8, 8), mask=(m := d.array(real(3, 8, 8)))[:2], causal=True, out=m[1:]
        ),
    ),
}  # fmt: skip


def index(device: Device) -> DeviceBuffer:
    return device.array(np.arange(80, dtype=np.int32)[::-1].copy())


def kept(device: Device) -> DeviceBuffer:
    return device.array(real(1, 16, 8))


@pytest.mark.parametrize("name", list(REFUSED))
def test_an_operand_that_is_still_read_is_not_overwritten(device: Device, name: str) -> None:
    what, call = REFUSED[name]
    with pytest.raises(ValueError, match=f"out must share no memory with {what}, which is still"):
        call(device)


#: What is called with an operand and, as ``out``, its own buffer.
ALLOWED: dict[str, Callable[[Device, DeviceBuffer, DeviceBuffer | None], DeviceBuffer]] = {
    "softmax": lambda d, x, out: d.softmax(x, out=out),
    "gelu": lambda d, x, out: d.gelu(x, out=out),
    "layer_norm": lambda d, x, out: d.layer_norm(
        x, np.ones(300, np.float32), np.zeros(300, np.float32), out=out
    ),
    "add, second": lambda d, x, out: d.add(real(200, 300), x, out=out),
    "residual": lambda d, x, out: d.matmul(
        real(200, 64), real(64, 300), residual=x, out_dtype=BF16, out=out
    ),
}


@pytest.mark.parametrize("name", list(ALLOWED))
def test_rows_in_place_are_the_same_bits(device: Device, name: str) -> None:
    values = real(200, 300)
    wanted = ALLOWED[name](device, device.array(values), None).numpy().copy()
    x = device.array(values)
    found = ALLOWED[name](device, x, x)
    assert found is x
    np.testing.assert_array_equal(found.numpy().view(np.uint16), wanted.view(np.uint16))
    assert not np.array_equal(wanted.view(np.uint16), values.view(np.uint16))
