"""Stimulus recorded from the chip in Amaranth's simulator."""

import numpy as np
import pytest
from weft.device import Device
from weft.synth.chip_simulator import ChipInSimulator
from weft.synth.recording import (
    UNITS,
    _commands,
    _flat,
    _longest_run,
    _payload_flits,
    _recording,
    _unflat,
)
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


def test_flits_and_commands_are_counted_where_they_are_taken():
    """A beat that waits counted twice, a command for each beat."""
    config = preset("nano")
    memory = {
        "memory__rvalid": _flags(1, 1, 0, 1), "memory__rready": _flags(0, 1, 1, 1),
        "memory__wvalid": _flags(0, 1, 0, 0), "memory__wready": _flags(1, 1, 1, 1),
    }  # fmt: skip
    assert _payload_flits(memory, config).tolist() == [0, 2, 0, 1]
    # 64 bytes in beats of 4: the sixteenth ends the first command
    beats = 40
    host = {f"host__r{end}": np.ones((beats, 1), dtype=bool) for end in ("valid", "ready")}
    commands = _commands(host, config)
    assert np.flatnonzero(commands).tolist() == [15, 31]
    assert commands.sum() == beats * config.flit_bytes // 64


def test_a_block_is_quiet_when_nothing_is_at_its_ports():
    config = preset("nano")
    nothing, work = np.zeros((6, 1), dtype=bool), _flags(0, 0, 0, 1, 0, 0)
    bits = {
        "registers__awvalid": _flags(1, 0, 0, 0, 0, 0), "host__rvalid": work,
        "host__rready": work, "mesh__request_o__valid": nothing,
    }  # fmt: skip
    recording = _recording("control", bits, bits, config)
    # registers written before there is work are no work, and not quiet either
    assert recording.busy.tolist() == [False, False, False, True, False, False]
    assert _longest_run(recording.quiet) == (1, 3)
    assert _longest_run(np.array([True, False, True, True])) == (2, 4)


def test_recordings_are_kept_as_they_are():
    config = preset("nano")
    bits = {
        "busy": _flags(0, 1, 1), "bytes": np.array([[0, 0], [1, 0], [1, 1]], dtype=bool),
        "response__valid": _flags(0, 1, 0),
    }  # fmt: skip
    made = {block: _recording("load", bits, bits, config) for block in UNITS}
    kept = _unflat(_flat(made))
    assert kept["load"].operations.tolist() == [0, 1, 3]
    for block, recording in kept.items():
        for name in ("operations", "busy", "quiet"):
            assert np.array_equal(getattr(recording, name), getattr(made[block], name))
        assert recording.inputs.keys() == bits.keys()
