"""Every command of the model against plain numpy."""

import numpy as np
import pytest
from model_rig import ModelRig
from weft.commands import pack
from weft_hw.isa import Opcode, VectorOutput
from weft_sim.golden import requantise, vector_int32

FLIT = 4  # bytes of a scratchpad row of nano
ROWS = 4  # its array


def filled(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    info = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize(
    ("rows", "row_bytes", "stride", "local_stride", "address"),
    [
        (1, 1, 1, 1, 0),  # least
        (5, 8, 8, 2, 64),  # without a gap: one run
        (5, 7, 9, 2, 3),  # unaligned, a tail to fill
        (3, 300, 301, 80, 4090),  # more than a packet, over a page
        (4, 8, 3, 5, 17),  # overlapping in memory, gaps in the scratchpad
        (4, 8, 8, 1, 0),  # overlapping in the scratchpad: the later row wins
        (6, 4, 0, 1, 9),  # one row again and again
    ],
)
def test_load(rows: int, row_bytes: int, stride: int, local_stride: int, address: int) -> None:
    rig = ModelRig()
    data = filled((8192,), np.uint8)
    rig.put(0, data)
    pad = rig.tile.scratchpad.data
    pad[:] = 0xEE
    want = pad.copy()
    per_row = -(-row_bytes // FLIT)
    for row in range(rows):
        line = np.zeros(per_row * FLIT, np.uint8)
        line[:row_bytes] = data[address + row * stride :][:row_bytes]
        first = 10 + row * local_stride
        want[first : first + per_row] = line.reshape(per_row, FLIT)
    rig.run(
        pack(
            Opcode.LOAD, memory_address=address, memory_stride=stride, row_bytes=row_bytes,
            rows=rows, local_row=10, local_stride=local_stride,
        )
    )  # fmt: skip
    np.testing.assert_array_equal(pad, want)
    assert rig.counter(2, 1) == rows * row_bytes


@pytest.mark.parametrize(
    ("rows", "row_bytes", "stride", "local_stride"),
    [(1, 1, 1, 1), (5, 8, 8, 2), (5, 7, 9, 2), (3, 300, 301, 80), (4, 8, 3, 2), (4, 8, 8, 0)],
)
def test_store(rows: int, row_bytes: int, stride: int, local_stride: int) -> None:
    rig = ModelRig()
    rig.put(0, np.full(8192, 0xEE, np.uint8))
    pad = rig.tile.scratchpad.data
    pad[:] = filled(pad.shape, np.uint8)
    want = rig.memory[:8192].copy()
    for row in range(rows):
        line = pad[10 + row * local_stride :].reshape(-1)[:row_bytes]
        want[101 + row * stride :][:row_bytes] = line
    rig.run(
        pack(
            Opcode.STORE, memory_address=101, memory_stride=stride, row_bytes=row_bytes, rows=rows,
            local_row=10, local_stride=local_stride,
        )
    )  # fmt: skip
    np.testing.assert_array_equal(rig.memory[:8192], want)
    assert rig.counter(2, 2) == rows * row_bytes


@pytest.mark.parametrize("accumulate", [0, 1])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(1, 1, 1), (4, 4, 4), (3, 5, 7), (9, 8, 12), (2, 1030, 3), (20, 13, 1)],
)
def test_matmul(m: int, k: int, n: int, accumulate: int) -> None:
    rig = ModelRig()
    kb, nb = -(-k // ROWS), -(-n // ROWS)
    a, w = filled((m, k), np.int8, 1), filled((k, n), np.int8, 2)
    pad, acc = rig.tile.scratchpad.data, rig.tile.accumulator.data
    pad[:] = 0x55  # what lies beyond K and N must not count
    acc[:] = filled(acc.shape, np.int32, 3) >> 4
    before = acc.copy()
    if k > 512:  # so that it fits
        w = np.tile(w[:1], (k, 1))
    pad.reshape(-1)[: m * kb * FLIT].reshape(m, kb * FLIT)[:, :k] = a.view(np.uint8)
    w_row, w_stride = m * kb, 0 if k > 512 else nb
    rows = 1 if k > 512 else k
    weights = pad.reshape(-1)[w_row * FLIT :][: rows * nb * FLIT].reshape(rows, nb * FLIT)
    weights[:, :n] = w[:rows].view(np.uint8)
    acc_stride = m + 1
    rig.run(
        pack(
            Opcode.MATMUL, m=m, k=k, n=n, a_row=0, a_stride=kb, w_row=w_row, w_stride=w_stride,
            acc_row=5, acc_stride=acc_stride, accumulate=accumulate,
        )
    )  # fmt: skip
    product = np.zeros((m, nb * ROWS), np.int64)
    product[:, :n] = a.astype(np.int64) @ w.astype(np.int64)
    want = before.copy()
    for block in range(nb):
        rows_of_block = slice(5 + block * acc_stride, 5 + block * acc_stride + m)
        part = product[:, block * ROWS : (block + 1) * ROWS]
        want[rows_of_block] = part + (before[rows_of_block] if accumulate else 0)
    np.testing.assert_array_equal(acc, want)
    assert rig.counter(2, 0) == m * kb * nb


@pytest.mark.parametrize("use_bias", [0, 1])
@pytest.mark.parametrize("use_residual", [0, 1])
@pytest.mark.parametrize("output", list(VectorOutput))
@pytest.mark.parametrize(("m", "n"), [(1, 1), (5, 4), (7, 10)])
def test_vector(m: int, n: int, output: VectorOutput, use_residual: int, use_bias: int) -> None:
    rig = ModelRig()
    nb = -(-n // ROWS)
    pad, acc = rig.tile.scratchpad.data, rig.tile.accumulator.data
    acc[:] = filled(acc.shape, np.int32, 1) >> 16
    pad[:] = 0x77
    bias, residual = filled((n,), np.int32, 2) >> 18, filled((m, n), np.int8, 3)
    scale = np.random.default_rng(4).uniform(0.001, 0.1, n).astype(np.float32)
    pad[100 : 100 + n] = bias.view(np.uint8).reshape(n, FLIT)
    pad[200 : 200 + n] = scale.view(np.uint8).reshape(n, FLIT)
    lines = np.zeros((m, nb * FLIT), np.uint8)
    lines[:, :n] = residual.view(np.uint8)
    pad[300 : 300 + m * nb] = lines.reshape(m * nb, FLIT)
    rows_out = nb * (4 if output is VectorOutput.INT32 else 1)
    rig.run(
        pack(
            Opcode.VECTOR, m=m, n=n, acc_row=3, acc_stride=m + 2, out_row=500,
            out_stride=rows_out + 1, bias_row=100, scale_row=200, residual_row=300,
            residual_stride=nb, zero_point=-3, clamp_min=-90, clamp_max=100, output=output,
            use_bias=use_bias, use_residual=use_residual,
        )
    )  # fmt: skip
    blocks = [acc[3 + b * (m + 2) :][:m] for b in range(nb)]
    sums = np.ascontiguousarray(np.concatenate(blocks, axis=1)[:, :n])
    if output is VectorOutput.INT32:
        want = vector_int32(sums, bias if use_bias else None)
    else:
        want = requantise(
            sums, scale, -3, -90, 100, bias if use_bias else None,
            residual if use_residual else None,
        )  # fmt: skip
    size = want.itemsize * n
    for row in range(m):
        line = pad[500 + row * (rows_out + 1) :][:rows_out].reshape(-1)
        np.testing.assert_array_equal(line[:size], want[row].view(np.uint8))
        assert not line[size:].any(), "lanes beyond N are zero"
        assert (pad[500 + row * (rows_out + 1) + rows_out] == 0x77).all(), "nothing behind a row"
    assert rig.counter(2, 3) == m * nb


def test_nop_waits_for_the_command_before() -> None:
    rig = ModelRig()
    load = pack(Opcode.LOAD, row_bytes=256, rows=1)
    rig.run(load, pack(Opcode.NOP, engine=0))
    trace = rig.target.trace()
    ends = {int(e["index"]): int(e["cycle"]) for e in trace[trace["kind"] == 1]}
    assert ends[1] > ends[0]


def test_a_fence_writes_its_record() -> None:
    rig = ModelRig()
    rig.run(pack(Opcode.NOP, engine=1))
    record = rig.get(0xF_0000 + 32, (8,), np.uint32)
    assert record[:4].tolist() == [1, 0, 1, 0]
    assert 0 < record[4] < rig.target.cycle
    assert rig.read("COMPLETED") == 2
