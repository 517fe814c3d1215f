"""Errors, windows, semaphores, hangs and the ring on the bare model."""

from typing import Any

import numpy as np
import pytest
from model_rig import MEMORY_BYTES, RING, ModelRig
from weft.commands import pack
from weft_hw.control.registers import QueueState, capabilities
from weft_hw.isa import SEMAPHORE_MAX, Engine, Opcode, Status
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.model import ModelTarget

FROM_CONTROL = 1 << 31
NANO = preset("nano")
PAD_ROWS, ACC_ROWS = NANO.tile.scratchpad_rows, NANO.tile.accumulator_rows


def load(**fields: int) -> bytes:
    return pack(Opcode.LOAD, **{"row_bytes": 8, "rows": 2, "local_stride": 2, **fields})


def store(**fields: int) -> bytes:
    return pack(Opcode.STORE, **{"row_bytes": 8, "rows": 2, "local_stride": 2, **fields})


def matmul(**fields: int) -> bytes:
    sizes = {"m": 4, "k": 4, "n": 4, "a_stride": 1, "w_stride": 1, "acc_stride": 4}
    return pack(Opcode.MATMUL, **{**sizes, **fields})


def vector(**fields: int) -> bytes:
    return pack(Opcode.VECTOR, **{"m": 4, "n": 4, "acc_stride": 4, "out_stride": 1, **fields})


ILLEGAL = [
    (load(rows=0), Status.ILLEGAL_FIELD, Engine.LOAD),
    (load(row_bytes=0), Status.ILLEGAL_FIELD, Engine.LOAD),
    (load(endpoint=1), Status.ILLEGAL_FIELD, Engine.LOAD),
    (store(endpoint=9), Status.ILLEGAL_FIELD, Engine.STORE),
    (matmul(k=0), Status.ILLEGAL_FIELD, Engine.MATMUL),
    (vector(n=0), Status.ILLEGAL_FIELD, Engine.VECTOR),
    (vector(output=2), Status.ILLEGAL_FIELD, Engine.VECTOR),
    (load(local_row=PAD_ROWS - 3), Status.LOCAL_RANGE, Engine.LOAD),
    (store(local_row=PAD_ROWS - 3), Status.LOCAL_RANGE, Engine.STORE),
    (matmul(a_row=PAD_ROWS - 3), Status.LOCAL_RANGE, Engine.MATMUL),
    (matmul(w_row=PAD_ROWS - 3), Status.LOCAL_RANGE, Engine.MATMUL),
    (matmul(acc_row=ACC_ROWS - 3), Status.LOCAL_RANGE, Engine.MATMUL),
    (vector(acc_row=ACC_ROWS - 3), Status.LOCAL_RANGE, Engine.VECTOR),
    (vector(out_row=PAD_ROWS - 3), Status.LOCAL_RANGE, Engine.VECTOR),
    (vector(scale_row=PAD_ROWS - 3), Status.LOCAL_RANGE, Engine.VECTOR),
    (load(memory_address=MEMORY_BYTES - 4), Status.WINDOW, Engine.LOAD),
    (store(memory_address=1 << 41), Status.WINDOW, Engine.STORE),
]


@pytest.mark.parametrize(("command", "status", "engine"), ILLEGAL)
def test_an_engine_refuses(command: bytes, status: Status, engine: Engine) -> None:
    rig = ModelRig()
    good = pack(Opcode.NOP, engine=2)
    error = rig.fail(good, command, good)
    assert error == {"STATUS": status.value, "INDEX": 1, "SOURCE": engine.value}
    assert rig.page(0)[14] == status.value
    rig.reset_queue()
    rig.run(load(), store(memory_address=64))


def test_control_refuses() -> None:
    rig = ModelRig()
    nop = pack(Opcode.NOP)
    unknown = bytes([99]) + bytes(63)
    error = rig.fail(nop, unknown)
    assert error == {"STATUS": Status.ILLEGAL_OPCODE.value, "INDEX": 1, "SOURCE": FROM_CONTROL}
    rig.reset_queue()
    error = rig.fail(nop, nop, pack(Opcode.NOP, tile=(1, 0)))
    assert error == {"STATUS": Status.ILLEGAL_TILE.value, "INDEX": 2, "SOURCE": FROM_CONTROL}
    rig.reset_queue()
    rig.write("QUEUE_BASE_LO", RING + 32)
    rig.write("TAIL", 1)
    assert rig.target.run(1000)
    assert rig.read("ERROR_STATUS") == Status.MISALIGNED.value
    rig.reset_queue()
    rig.write("TAIL", (1 << rig.ring_log2) + 1)
    assert rig.target.run(1000)
    assert rig.read("ERROR_STATUS") == Status.RING_OVERRUN.value


@pytest.mark.parametrize("access", [1, 2])
def test_nothing_leaves_its_window(access: int) -> None:
    rig = ModelRig()
    rig.write("WINDOW_0_BASE", 2)
    rig.write("WINDOW_0_LIMIT", 4)
    rig.write("WINDOW_0_ACCESS", access)
    rig.put(0, np.arange(1 << 14, dtype=np.uint16))
    before = rig.memory[: 1 << 15].copy()
    command = load if access == 1 else store
    inside = command(memory_address=8192, row_bytes=4096, local_stride=1024)
    rig.run(pack(Opcode.NOP)) if access == 2 else rig.run(inside)
    # the second row begins inside and ends a byte beyond
    reaching = command(memory_address=8192, memory_stride=4097, row_bytes=4096, local_stride=1024)
    error = rig.fail(reaching)
    assert error["STATUS"] == Status.WINDOW.value
    np.testing.assert_array_equal(rig.memory[:8192], before[:8192])
    np.testing.assert_array_equal(rig.memory[16384 : 1 << 15], before[16384:])
    rig.reset_queue()
    rig.write("WINDOW_0_BASE", 2)
    rig.write("WINDOW_0_LIMIT", 4)
    rig.write("WINDOW_0_ACCESS", 3 - access)
    error = rig.fail(command(memory_address=8192))
    assert error["STATUS"] == Status.WINDOW.value
    np.testing.assert_array_equal(rig.memory[:8192], before[:8192])


def test_memory_errors() -> None:
    rig = ModelRig(error_base=0x3000, error_limit=0x3010)
    assert rig.fail(load(memory_address=0x300F))["STATUS"] == Status.BUS.value
    rig.reset_queue()
    before = rig.memory[0x2000:0x4000].copy()
    error = rig.fail(store(memory_address=0x2FFC, row_bytes=8, rows=1))
    assert error["STATUS"] == Status.BUS.value
    # the page before the boundary is a burst of its own, and went well
    np.testing.assert_array_equal(rig.memory[0x3000:0x4000], before[0x1000:])
    rig.reset_queue()
    rig.write("QUEUE_BASE_LO", 0x2FC0)
    rig.write("TAIL", 2)
    rig.target.run(5000)
    assert rig.read("ERROR_STATUS") == Status.FETCH_BUS.value


def test_semaphores_order_engines() -> None:
    rig = ModelRig()
    rig.run(
        pack(Opcode.NOP, engine=1, signal=0b100),
        pack(Opcode.NOP, engine=0, wait=0b100, signal=0b1000),
        pack(Opcode.NOP, engine=3, wait=0b1000),
    )
    ends = [rig.events(Engine(engine), index)[1] for index, engine in enumerate((1, 0, 3))]
    assert ends[0] < ends[1] < ends[2]


def test_a_semaphore_counts() -> None:
    rig = ModelRig()
    signals = [pack(Opcode.NOP, engine=0, signal=1) for _ in range(3)]
    waits = [pack(Opcode.NOP, engine=1, wait=1) for _ in range(2)]
    rig.run(*signals, *waits)
    assert rig.page(0)[8] & 0xFF == 1


def test_a_semaphore_overflows() -> None:
    rig = ModelRig(ring_log2=9)
    signal = pack(Opcode.NOP, engine=2, signal=1)
    error = rig.fail(*[signal] * (SEMAPHORE_MAX + 1))
    expected = {"STATUS": Status.SEMAPHORE_OVERFLOW.value, "INDEX": SEMAPHORE_MAX, "SOURCE": 2}
    assert error == expected


def test_a_deadlock_is_reported() -> None:
    rig = ModelRig()
    rig.write("WATCHDOG", 500)
    waits = pack(Opcode.NOP, engine=1, wait=0b101)
    rig.submit(pack(Opcode.NOP, engine=0, signal=1), waits, pack(Opcode.NOP, engine=1))
    begun = rig.target.cycle
    assert rig.target.run(10_000)
    assert 500 <= rig.target.cycle - begun < 1200
    assert rig.read("ERROR_STATUS") == Status.WATCHDOG.value
    words = rig.page(0)
    state, index = words[2] & 3, words[3]
    assert (state, words[2] >> 16, index) == (1, 0b100, 1), "waits for semaphore 2 only"
    assert words[8] & 0xFF == 1, "semaphore 0 is there"
    rig.reset_queue()
    assert rig.page(0)[8] == 0
    rig.run(load())


def test_a_reset_aborts_what_is_in_flight() -> None:
    rig = ModelRig(latency_cycles=300)
    before = rig.memory.copy()
    rig.submit(load(rows=2000, local_stride=0), store(wait=1))
    rig.target.run(900)
    assert rig.read("IN_FLIGHT") == 2
    rig.reset_queue()
    names = ("HEAD", "TAIL", "COMPLETED", "IN_FLIGHT", "ERROR_STATUS", "SEQUENCE")
    assert [rig.read(name) for name in names] == [0] * 6
    np.testing.assert_array_equal(rig.memory[:RING], before[:RING])
    rig.run(load())


def test_the_ring_wraps() -> None:
    rig = ModelRig(ring_log2=2)
    for number in range(1, 11):
        rig.run(pack(Opcode.NOP, engine=number % 4), pack(Opcode.NOP, engine=0))
        assert rig.read("COMPLETED") == 3 * number
        assert rig.read("HEAD") == 3 * number
    record = rig.get(0xF_0000 + 32 * (10 % 4), (4,), np.uint32)
    assert record.tolist() == [10, 0, 29, 0]


def test_disabling_stops_the_fetch() -> None:
    rig = ModelRig()
    rig.write("CONTROL", 0)
    rig.submit(pack(Opcode.NOP))
    assert not rig.target.run(2000)
    assert rig.state is QueueState.DISABLED
    assert rig.read("HEAD") == 0
    rig.write("CONTROL", 1)
    rig.target.run(2000)
    assert rig.read("COMPLETED") == 1


def test_capabilities_are_the_configuration() -> None:
    rig = ModelRig("quad")
    for name, value in capabilities(preset("quad")).items():
        assert rig.read(name) == value
    rig.write("IDENTITY", 0)
    assert rig.read("IDENTITY").to_bytes(4, "little") == b"WEFT"


def test_bad_arguments() -> None:
    name: Any = "nano"
    with pytest.raises(TypeError, match="config must be a ChipConfig, not 'nano'"):
        ModelTarget(name)
    number: Any = 3
    with pytest.raises(TypeError, match="dram must be a Dram, not 3"):
        ModelTarget(NANO, number)
    target = ModelTarget(NANO, Dram(size_bytes=4096))
    with pytest.raises(ValueError, match="offset must be one of the register map, not 0x7fc"):
        target.read_register(0x7FC)
    with pytest.raises(ValueError, match="value must be between 0 and"):
        target.write_register(0x40, 1 << 32)
    with pytest.raises(ValueError, match="max_cycles must be at least 0, not -1"):
        target.run(-1)
