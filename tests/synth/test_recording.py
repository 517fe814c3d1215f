"""Stimulus recorded from the chip in Amaranth's simulator."""

import numpy as np
import pytest
from weft.device import Device
from weft.synth.chip_simulator import ChipInSimulator
from weft.synth.recording import _flat, _longest_run, _recording, _unflat
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


def _flags(*values):
    return np.array(values, dtype=bool)[:, None]


def _bits():
    return {
        "busy": _flags(0, 1, 1, 0, 0, 0), "response__valid": _flags(1, 0, 1, 0, 0, 0),
        "bytes": np.array([[0, 0], [1, 0], [1, 1], [0, 0], [0, 0], [0, 0]], dtype=bool),
    }  # fmt: skip


def test_a_block_is_quiet_when_it_is_idle_and_nothing_is_at_its_ports():
    recording = _recording(_bits(), _bits())
    assert recording.operations.tolist() == [0, 1, 3, 0, 0, 0]
    assert np.flatnonzero(recording.busy).tolist() == [1, 2]
    assert np.flatnonzero(recording.quiet).tolist() == [3, 4, 5]
    assert _longest_run(recording.quiet) == (3, 6)
    assert _longest_run(np.array([True, False, True, True])) == (2, 4)


def test_recordings_are_kept_as_they_are():
    made = {block: _recording(_bits(), _bits()) for block in ("load", "store")}
    kept = _unflat(_flat(made))
    for block, recording in kept.items():
        for name in ("operations", "busy", "quiet"):
            assert np.array_equal(getattr(recording, name), getattr(made[block], name))
        assert recording.inputs.keys() == _bits().keys()
