"""Matmul commands whose columns of blocks add to the same accumulator rows: what they compute, and
the model's cycles, which are the RTL's.
"""

import ml_dtypes
import numpy as np
import pytest
from weft import Device
from weft.commands import pack
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Engine, Opcode, VectorOutput
from weft_hw.presets import preset
from weft_sim.dram import Dram

COLUMNS = 3
ACC_ROW = 5
#: Units of operands that are loaded.
UNITS = 256
#: Format of the operands -> dtype that holds it.
DTYPES = {
    Format.INT8: np.dtype(np.int8),
    Format.BF16: np.dtype(ml_dtypes.bfloat16),
    Format.FP8E4M3: np.dtype(ml_dtypes.float8_e4m3fn),
}
#: (format, block scales, weights in the bank of the activations) of each preset.
KINDS = {
    "nano": [(Format.INT8, 0, False), (Format.INT8, 0, True)],
    "micro": [
        (Format.INT8, 0, False),
        (Format.BF16, 0, True),
        (Format.FP8E4M3, 1, False),
        (Format.FP8E4M3, 1, True),
    ],
}


def shapes(size: int) -> list[tuple[int, int, int]]:
    """(M, K, stride): rows that are added to again at once, after a while, never."""
    sides = (
        (2, 1),
        (size, size),
        (size + 3, 2 * size + 1),
        (2 * size + 2, 1),
        (4 * size + 3, size),
    )
    return [(m, k, stride) for m, k in sides for stride in sorted({0, 1, m // 2, m - 2, m - 1, m})]


def values(code: Format, units: int, size: int) -> np.ndarray:
    """(units, size) small integers, whose sums are exact in any order and format."""
    small = np.random.default_rng(3).integers(-4, 5, (units, size))
    return small.astype(DTYPES[code])


def program(
    config: ChipConfig, code: Format, scaled: int, w_row: int, m: int, k: int, stride: int
) -> list[bytes]:
    """Rows are set by a first command, added to by a second and converted to the fourth bank."""
    tile = config.tile
    size, bank = tile.array_rows, tile.scratchpad_rows // tile.scratchpad_banks
    reach = m + (COLUMNS - 1) * stride
    shared = {
        "k": k, "acc_row": ACC_ROW, "format": code, "w_row": w_row, "w_stride": COLUMNS,
        "scaled": scaled, "a_scale_row": 2 * bank, "a_scale_stride": 2,
        "w_scale_row": 2 * bank * units_per_row(tile, Format.INT8), "w_scale_stride": COLUMNS,
    }  # fmt: skip
    joined = 1 << 3
    return [
        pack(Opcode.MATMUL, m=reach, n=size, a_stride=1, **shared),
        pack(
            Opcode.MATMUL, m=m, n=COLUMNS * size, a_stride=-(-k // size), acc_stride=stride,
            accumulate=1, signal=joined, **shared,
        ),
        pack(
            Opcode.VECTOR, wait=joined, signal=2 * joined, m=reach, n=size, acc_row=ACC_ROW,
            out_row=3 * bank, out_stride=tile.accumulator_row_bytes // tile.row_bytes,
            output=VectorOutput.INT32,
        ),
    ]  # fmt: skip


def expected(operands: np.ndarray, w: np.ndarray, m: int, k: int, stride: int) -> np.ndarray:
    """(rows, size) sums, from (units, size) of both operands."""
    blocks, size = -(-k // operands.shape[1]), operands.shape[1]
    reach = m + (COLUMNS - 1) * stride
    weights = w[: k * COLUMNS].reshape(k, COLUMNS, size)
    # K may overstep a unit's neighbours: rows begin a unit apart
    first = np.stack([operands[row : row + blocks].reshape(-1)[:k] for row in range(reach)])
    sums = first @ weights[:, 0]
    a = operands[: m * blocks].reshape(m, -1)[:, :k]
    for column in range(COLUMNS):
        sums[column * stride : column * stride + m] += a @ weights[:, column]
    return sums


def run(target: str, name: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Accumulator rows after each program, and the matmul engine's events."""
    config = preset(name)
    tile = config.tile
    size, bank = tile.array_rows, tile.scratchpad_rows // tile.scratchpad_banks
    found = []
    with Device(target, config, dram=Dram(size_bytes=1 << 21)) as device:
        scales = device.array(np.full(8 * tile.row_bytes, 127, np.uint8))
        load = {"rows": 1, "local_stride": 1}
        device.submit(
            [pack(Opcode.LOAD, memory_address=scales.address, row_bytes=scales.nbytes,
                  local_row=2 * bank, **load)]
        ).wait()  # fmt: skip
        device.target.set_tracing(True)
        for code, scaled, one_bank in KINDS[name]:
            data = device.array(values(code, UNITS, size).view(np.uint8))
            units = units_per_row(tile, code)
            at = bank // 2 if one_bank else bank
            loads = [
                pack(Opcode.LOAD, memory_address=data.address, row_bytes=data.nbytes,
                     local_row=row, signal=signal, **load)
                for row, signal in ((0, 0), (at, 1))
            ]  # fmt: skip
            device.submit([*loads, pack(Opcode.NOP, engine=Engine.MATMUL, wait=1)]).wait()
            for m, k, stride in shapes(size):
                reach = m + (COLUMNS - 1) * stride
                out = device.zeros((reach, size), np.int32)
                store = pack(
                    Opcode.STORE, wait=16, memory_address=out.address, rows=1,
                    row_bytes=out.nbytes, local_row=3 * bank,
                )  # fmt: skip
                first, *others = program(config, code, scaled, at * units, m, k, stride)
                device.submit([first]).wait()
                device.submit([*others, store]).wait()
                found.append(out.numpy().copy())
        events = device.target.trace()
    return found, events[events["engine"] == Engine.MATMUL.value]


@pytest.mark.rtl
@pytest.mark.parametrize("name", list(KINDS))
def test_columns_of_blocks_that_share_rows(name: str) -> None:
    """A column of blocks adds to a row which the column before is still writing, or waits longer
    than the model says.
    """
    size = preset(name).tile.array_rows
    sums, events = run("rtl", name)
    model_sums, model_events = run("model", name)
    cases = [(kind, shape) for kind in KINDS[name] for shape in shapes(size)]
    for case, got, modelled in zip(cases, sums, model_sums, strict=True):
        (code, _, _), (m, k, stride) = case
        operands = values(code, UNITS, size).astype(np.int32)
        want = expected(operands, operands, m, k, stride)
        if code is not Format.INT8:
            want = want.astype(np.float32).view(np.int32)
        np.testing.assert_array_equal(got, want, err_msg=f"RTL {case}")
        np.testing.assert_array_equal(modelled, want, err_msg=f"model {case}")
    # from a command's begin to its end; when a submission begins is the host's business
    for kind in (0, 1):
        assert len(events[events["kind"] == kind]) == len(
            model_events[model_events["kind"] == kind]
        )
    lengths, model_lengths = (
        trace[trace["kind"] == 1]["cycle"] - trace[trace["kind"] == 0]["cycle"]
        for trace in (events, model_events)
    )
    np.testing.assert_array_equal(model_lengths, lengths)
