"""Programs that never end: the driver notices, says who waits on whom, and goes on."""

import numpy as np
import pytest
from weft import DeviceHang
from weft.commands import pack
from weft_hw.isa import Engine, Opcode, Status
from weft_sim.golden import matmul_int8


def _nop(engine: Engine, **fields: int) -> bytes:
    return pack(Opcode.NOP, engine=engine, **fields)


def test_watchdog_reports_a_wait_nobody_meets(open_device):
    """A hang ends in a time-out that says nothing."""
    device = open_device(watchdog_cycles=4000)
    first = device.queue.ring.tail
    commands = [_nop(Engine.LOAD), _nop(Engine.MATMUL, wait=1 << 3), _nop(Engine.STORE)]
    with pytest.raises(DeviceHang) as caught:
        device.submit(commands).wait()
    wanted = (
        f"tile (0,0) matmul waits for semaphore 3, command {first + 1}; nobody in flight signals it"
    )
    assert wanted in str(caught.value)
    assert wanted in caught.value.report.findings
    assert caught.value.status is Status.WATCHDOG
    state = caught.value.report.tiles[0].engines[Engine.MATMUL.value]
    assert (state.state, state.unmet, state.index) == ("waiting", (3,), first + 1)
    assert state.command == "NOP (0,0) engine=MATMUL wait[3]"
    a = np.arange(-8, 8, dtype=np.int8).reshape(4, 4)
    np.testing.assert_array_equal(device.matmul(a, a), matmul_int8(a, a))


def test_a_signal_behind_the_wait_does_not_count(open_device):
    """A command stuck behind the waiting one is said to be about to help it."""
    device = open_device(watchdog_cycles=4000)
    commands = [_nop(Engine.MATMUL, wait=1 << 3), _nop(Engine.MATMUL, signal=1 << 3)]
    with pytest.raises(DeviceHang, match=r"semaphore 3, command .*; nobody in flight signals it"):
        device.submit(commands).wait()


def test_circle_of_waits_is_named(open_device):
    """A circle of two engines is reported as two waits without a cause."""
    device = open_device(watchdog_cycles=4000)
    first = device.queue.ring.tail
    commands = [
        _nop(Engine.LOAD, wait=1 << 1),
        _nop(Engine.LOAD, signal=1 << 2),
        _nop(Engine.STORE, wait=1 << 2, signal=1 << 1),
    ]
    with pytest.raises(DeviceHang) as caught:
        device.submit(commands).wait()
    findings = caught.value.report.findings
    assert (
        f"tile (0,0) load waits for semaphore 1, command {first}; "
        f"command {first + 2} (store) will signal it" in findings
    )
    assert (
        f"tile (0,0) store waits for semaphore 2, command {first + 2}; "
        f"command {first + 1} (load) will signal it" in findings
    )


def test_timeout_of_a_wait(open_device):
    """A time-out given to wait() is ignored until the watchdog speaks."""
    device = open_device()
    event = device.submit([_nop(Engine.VECTOR, wait=1 << 9)])
    start = device.target.cycle
    with pytest.raises(DeviceHang, match=r"is not done within 2000 cycles\n(.*\n)*.*semaphore 9"):
        event.wait(timeout_cycles=2000)
    assert device.target.cycle - start < 20_000
    with pytest.raises(DeviceHang):
        event.wait()
    device.submit([_nop(Engine.VECTOR)]).wait()


def test_every_tile_is_reported(open_device):
    """Only the first tile is asked."""
    device = open_device("quad", watchdog_cycles=4000)
    commands = [
        pack(Opcode.NOP, tile=(x, y), engine=Engine.STORE, wait=1 << (4 * y + x))
        for x in (0, 1)
        for y in (0, 1)
    ]
    with pytest.raises(DeviceHang) as caught:
        device.submit(commands).wait()
    for x in (0, 1):
        for y in (0, 1):
            assert f"tile ({x},{y}) store waits for semaphore {4 * y + x}" in str(caught.value)
