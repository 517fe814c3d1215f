"""Kernels in one program: the bits are those of kernels one after the other, in fewer cycles."""

from contextlib import nullcontext

import ml_dtypes
import numpy as np
import pytest
from weft import Device
from weft.compiler.footprint import Footprints
from weft.compiler.program import Step
from weft_hw.isa import Opcode
from weft_sim.dram import Dram

BF16 = ml_dtypes.bfloat16


@pytest.fixture
def device():
    with Device("model", "micro", dram=Dram(size_bytes=1 << 22), debug=True) as opened:
        yield opened


def _operands(device, *shapes):
    rng = np.random.default_rng(len(shapes))
    return [device.array(rng.normal(size=shape).astype(BF16)) for shape in shapes]


def _block(device, x, w, v, gamma, beta):
    """Products, attention, norms, sums: each reads what those before it wrote."""
    first = device.matmul_async(x, w, activation="gelu", out_dtype=BF16).result
    queries = first.reshape(1, *first.shape)
    context = device.attention(queries, queries, queries, heads=2).reshape(*first.shape)
    second = device.matmul_async(context, v, residual=x, out_dtype=BF16).result
    third = device.layer_norm(second, gamma, beta)
    return device.add(third, x), first, context, second, third


@pytest.mark.parametrize("m", [1, 9, 40])
def test_same_bits(device, m):
    """A kernel reads what the one before has not written yet, or overwrites what it still reads."""
    x, w, v = _operands(device, (m, 48), (48, 80), (80, 48))
    rng = np.random.default_rng(m)
    gamma, beta = (device.array(rng.normal(size=48).astype(np.float32)) for _ in range(2))
    want, cycles = [], []
    for batches in (False, False, True):
        before = device.target.cycle
        with device.batch() if batches else nullcontext():
            once = _block(device, x, w, v, gamma, beta)[0]
            found = _block(device, once, w, v, gamma, beta)
        arrays = [one.numpy().copy() for one in found]
        cycles.append(device.target.cycle - before)
        want = want or arrays
        for got, wanted in zip(arrays, want, strict=True):
            np.testing.assert_array_equal(got.view(np.uint16), wanted.view(np.uint16))
    # the microprograms are there after the first round
    assert cycles[2] < cycles[1]


@pytest.mark.rtl
def test_model_and_rtl_agree():
    """A wait that the model meets by luck, or commands that the model times otherwise."""
    found, cycles = [], []
    for target in ("model", "rtl"):
        with Device(target, "micro", dram=Dram(size_bytes=1 << 22)) as device:
            x, w, v = _operands(device, (16, 48), (48, 80), (80, 48))
            rng = np.random.default_rng(0)
            gamma, beta = (device.array(rng.normal(size=48).astype(np.float32)) for _ in range(2))
            with device.batch():
                out = _block(device, x, w, v, gamma, beta)
            found.append([one.numpy().view(np.uint16).copy() for one in out])
            cycles.append(device.target.cycle)
    for got, want in zip(*found, strict=True):
        np.testing.assert_array_equal(got, want)
    assert abs(cycles[0] - cycles[1]) <= 0.01 * cycles[1]


def test_results_are_written_over(device):
    """A later kernel writes where an earlier one still reads, or the earlier one writes last."""
    x, w, other = _operands(device, (24, 64), (64, 64), (24, 64))
    found = []
    for batches in (False, True):
        source, out = device.array(x.numpy().copy()), device.zeros((24, 64), BF16)
        with device.batch() if batches else nullcontext():
            device.matmul_async(source, w, out=out, out_dtype=BF16)
            kept = device.add(source, out)
            device.add(source, other, out=out)
            device.add(out, other, out=source)
            device.matmul_async(source, w, out=out, out_dtype=BF16)
        found.append(np.concatenate([one.numpy() for one in (kept, source, out)]).view(np.uint16))
    np.testing.assert_array_equal(*found)


def test_when_it_is_submitted(device):
    """A batch is submitted where somebody wants a result, and not before."""
    x, w = _operands(device, (16, 32), (32, 32))
    device.matmul(x, w, activation="relu", out_dtype=BF16)
    before = device.target.cycle
    with device.batch():
        first = device.matmul_async(x, w, activation="relu", out_dtype=BF16)
        assert device.target.cycle == before
        assert not first.finished
        first.wait()
        assert first.done
        assert first.finished
        assert first.error is None
        middle = device.target.cycle
        assert middle > before
        second = device.matmul_async(x, w, activation="relu", out_dtype=BF16)
        assert not second.finished
        device.wait(second)
        assert second.finished
        second = device.matmul_async(x, w, activation="relu", out_dtype=BF16)
    assert not second.finished
    assert second.end_cycle > middle
    assert len(second.indices) == len(second.commands) > 3
    np.testing.assert_array_equal(first.result, second.result)


def test_mistakes_leave_the_rest(device):
    """A call that is refused takes those before it with it."""
    (x,) = _operands(device, (4, 16))
    found = []

    def calls() -> None:
        with device.batch():
            found.append(device.add(x, x))
            device.apply("swish", x)

    with pytest.raises(ValueError, match="name must be one of"):
        calls()
    want = (2 * x.numpy().astype(np.float32)).astype(BF16)
    np.testing.assert_array_equal(found[0], want)


def test_several_tiles_wait_for_each_other():
    with Device("model", "quad", dram=Dram(size_bytes=1 << 22)) as device:
        x, w = _operands(device, (16, 32), (32, 32))
        with device.batch():
            event = device.matmul_async(x, w)
            assert not device.batches
            assert len(event.commands) > 1


def test_columns_of_one_matrix_do_not_meet(device):
    """Pieces of columns count as meeting: the next product waits for all of the one before."""

    def store(column: int, width: int) -> Step:
        fields = {
            "memory_address": 4096 + column, "memory_stride": 256, "row_bytes": width, "rows": 8,
            "local_row": column, "local_stride": 1,
        }  # fmt: skip
        return Step(Opcode.STORE, (0, 0), fields)

    def load(column: int, width: int) -> Step:
        fields = {**store(column, width).fields, "local_row": 512}
        return Step(Opcode.LOAD, (0, 0), fields)

    stores = Footprints.of(device.config, [store(0, 64), store(64, 64), store(240, 32)])
    # the last store goes on in the next row's first columns
    for column, width, meets in (
        (0, 64, [0, 2]), (32, 64, [0, 1]), (128, 112, []), (200, 48, [2]),
    ):  # fmt: skip
        found = stores.met_by(Footprints.of(device.config, [load(column, width)]), 0)
        assert found == [stores.steps[one] for one in meets], (column, width)
