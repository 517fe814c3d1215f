"""Stimulus recorded from the chip in Amaranth's simulator."""

import numpy as np
import pytest
from weft.device import Device
from weft.synth.chip_simulator import ChipInSimulator
from weft_hw.dma.load import LoadEngine
from weft_hw.dma.store import StoreEngine
from weft_hw.presets import preset


@pytest.mark.rtl
def test_the_chip_computes_and_every_byte_is_on_record():
    chip = ChipInSimulator(preset("nano"), (LoadEngine, StoreEngine))
    rng = np.random.default_rng(3)
    a, b = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((8, 8), (8, 4)))
    with Device(chip) as device:
        out = device.matmul(device.array(a), device.array(b)).numpy()
    assert np.array_equal(out, a.astype(np.int32) @ b.astype(np.int32))
    loaded, stored = (
        sum(row["bytes"] for row in chip.record[kind]) for kind in (LoadEngine, StoreEngine)
    )
    assert loaded == a.nbytes + b.nbytes
    assert stored == out.nbytes
    inputs = chip.bits(LoadEngine, "In")
    # flits of four bytes came in, and what came in is what lay in memory
    valid = inputs["response_data__valid"][:, 0]
    assert valid.sum() >= loaded // 4
    data = np.packbits(inputs["response_data__payload"][valid][:, :32], axis=1, bitorder="little")
    assert set(map(bytes, data)) >= {bytes(a[row, half : half + 4]) for row in range(8)
                                     for half in (0, 4)}  # fmt: skip
