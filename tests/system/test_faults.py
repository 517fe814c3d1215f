"""Every fault: an error with status and command, nothing written where it must not be, a device
that works after it.
"""

import numpy as np
import pytest
from operands import int8
from weft import Device, DeviceError, DeviceHang
from weft.commands import pack
from weft_hw.isa import SEMAPHORE_MAX, Engine, Opcode, Status
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8

_GUARD = 0xA5


def _works(device: Device) -> None:
    """A small product, to show that a device can be used."""
    rng = np.random.default_rng(5)
    a = int8(rng, 9, 6)
    b = int8(rng, 6, 7)
    np.testing.assert_array_equal(device.matmul(a, b), matmul_int8(a, b))


def _nop(engine: Engine = Engine.LOAD, **fields: int) -> bytes:
    return pack(Opcode.NOP, engine=engine, **fields)


def _transfer(opcode: Opcode, address: int, **fields: int) -> bytes:
    rest = {"memory_stride": 16, "row_bytes": 16, "rows": 1, "local_stride": 4} | fields
    return pack(opcode, memory_address=address, **rest)


def _fails(device: Device, commands: list[bytes], status: Status, position: int) -> DeviceError:
    """Runs a program that must fail at ``position`` with ``status``, guards memory, uses the device
    again.
    """
    page = device.array(np.full(4096, _GUARD, np.uint8))
    before = device.target.memory.copy()
    first = device.queue.ring.tail
    event = device.submit(commands)
    with pytest.raises(DeviceError, match=status.name) as caught:
        event.wait()
    error = caught.value
    assert error.status is status
    assert error.index == first + position
    ring_limit = device.queue.ring.limit
    np.testing.assert_array_equal(device.target.memory[ring_limit:], before[ring_limit:])
    assert (page.numpy() == _GUARD).all()
    _works(device)
    return error


@pytest.mark.parametrize("number", [10, 77, 255])
def test_unknown_opcode(open_device, number):
    """An opcode that names no command is taken for another one, or stops the chip for good."""
    device = open_device()
    bad = bytearray(_nop())
    bad[0] = number
    error = _fails(device, [_nop(), _nop(), bytes(bad), _nop()], Status.ILLEGAL_OPCODE, 2)
    assert "UNKNOWN" in error.command


@pytest.mark.parametrize("opcode", [Opcode.PROGRAM, Opcode.RUN])
def test_opcodes_that_are_not_built_in(open_device, opcode):
    """A chip without a vector processor takes a microprogram for something else."""
    _fails(open_device(), [_nop(), pack(opcode, start=0)], Status.ILLEGAL_OPCODE, 1)


@pytest.mark.parametrize("options", [{"format": 2}, {"format": 1}, {"format": 9}, {"scaled": 1}])
def test_formats_that_are_not_built_in(open_device, options):
    """A chip multiplies in a format that it does not have."""
    bad = pack(Opcode.MATMUL, m=1, k=1, n=1, **options)
    _fails(open_device(), [_nop(), bad], Status.ILLEGAL_FIELD, 1)


def test_tile_outside_the_mesh(open_device):
    """A command to a tile that is not there vanishes in the mesh."""
    device = open_device()
    error = _fails(device, [_nop(), _nop(tile=(1, 0))], Status.ILLEGAL_TILE, 1)
    assert error.command.startswith("NOP (1,0)")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(_transfer(Opcode.LOAD, 0, rows=0), id="no-rows"),
        pytest.param(_transfer(Opcode.LOAD, 0, row_bytes=0), id="no-bytes"),
        pytest.param(_transfer(Opcode.STORE, 0, endpoint=1), id="no-endpoint"),
        pytest.param(pack(Opcode.MATMUL, m=0, k=1, n=1), id="no-m"),
        pytest.param(pack(Opcode.MATMUL, m=1, k=0, n=1), id="no-k"),
        pytest.param(pack(Opcode.VECTOR, m=1, n=0), id="no-n"),
        pytest.param(pack(Opcode.VECTOR, m=1, n=1, output=3), id="no-output-mode"),
    ],
)
def test_illegal_field(open_device, command):
    """A size of zero runs for 65,536 rows, or a missing endpoint is waited for."""
    _fails(open_device(), [_nop(), command], Status.ILLEGAL_FIELD, 1)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(_transfer(Opcode.LOAD, 1 << 16, local_row=1 << 20), id="load"),
        pytest.param(_transfer(Opcode.STORE, 1 << 16, local_row=4093), id="store-last-row"),
        pytest.param(pack(Opcode.MATMUL, m=1, k=1, n=1, acc_row=256), id="accumulator"),
        pytest.param(pack(Opcode.MATMUL, m=2, k=1, n=1, a_row=4095, a_stride=1), id="a"),
        pytest.param(pack(Opcode.MATMUL, m=1, k=2, n=1, w_row=4095, w_stride=1), id="w"),
        pytest.param(pack(Opcode.VECTOR, m=1, n=1, out_row=4093, output=1), id="vector"),
    ],
)
def test_local_range(open_device, command):
    """A row beyond the end of a local memory wraps to its beginning."""
    _fails(open_device(), [_nop(), command, _nop()], Status.LOCAL_RANGE, 1)


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
def test_ring_is_out_of_reach(open_device, opcode):
    """A command reads or overwrites the ring that it came from."""
    device = open_device()
    error = _fails(device, [_transfer(opcode, 64)], Status.WINDOW, 0)
    assert error.address == 64
    assert error.tile == (0, 0)
    assert error.engine is (Engine.LOAD if opcode is Opcode.LOAD else Engine.STORE)


def test_store_beyond_the_heap(open_device):
    """A store whose last rows leave the window writes them all the same."""
    device = open_device()
    buffer = device.zeros((4096,), np.uint8)
    limit = -(-device.allocator.high_water // 4096) * 4096 + 4096
    filler = device.zeros(limit - device.allocator.high_water - 64, np.uint8)
    beyond = -(-device.allocator.high_water // 4096) * 4096
    device.target.memory[beyond : beyond + 64] = _GUARD
    event = device.submit([_transfer(Opcode.STORE, beyond - 32, rows=4)])
    with pytest.raises(DeviceError, match=r"WINDOW at 0x"):
        event.wait()
    assert (device.target.memory[beyond : beyond + 64] == _GUARD).all()
    assert not buffer.numpy().any()
    filler.free()
    _works(device)


def test_window_for_reading_only(open_device):
    """A window that grants reading lets writes through."""
    device = open_device()
    base = 1 << 20
    device.target.memory[base : base + 4096] = _GUARD
    device.grant(1, base, base + 4096, read=True, write=False)
    device.submit([_transfer(Opcode.LOAD, base)]).wait()
    error = _fails(device, [_transfer(Opcode.STORE, base)], Status.WINDOW, 0)
    assert error.address == base


def test_semaphore_overflow(open_device):
    """A semaphore that is full starts again at zero."""
    signal = 1 << 3
    commands = [_nop(signal=signal)] * (SEMAPHORE_MAX + 1)
    _fails(open_device(), commands, Status.SEMAPHORE_OVERFLOW, SEMAPHORE_MAX)


def test_semaphores_are_cleared_by_a_reset(open_device):
    """Counts left by a failed program release the next one's waits."""
    device = open_device(watchdog_cycles=3000)
    _fails(device, [_nop(signal=1 << 3), _nop(tile=(5, 5))], Status.ILLEGAL_TILE, 1)
    with pytest.raises(DeviceHang):
        device.submit([_nop(wait=1 << 3)]).wait()


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
def test_bus_error(open_device, opcode):
    """An error answered by the memory is swallowed."""
    bad = 1 << 20
    device = open_device(dram=Dram(size_bytes=1 << 21, error_base=bad, error_limit=bad + 64))
    device.grant(1, bad - 4096, bad + 4096, read=True, write=True)
    event = device.submit([_nop(), _transfer(opcode, bad - 16, rows=3)])
    with pytest.raises(DeviceError, match="BUS") as caught:
        event.wait()
    assert caught.value.index == 1
    assert bad - 16 <= caught.value.address < bad + 32
    _works(device)


def test_ring_overrun(open_device):
    """A doorbell further than the ring is long makes the chip run stale commands."""
    device = open_device(ring_entries=16)
    ring = device.queue.ring
    device.registers.write("TAIL", ring.tail + 17)
    device.target.run(1000)
    with pytest.raises(DeviceError, match="RING_OVERRUN") as caught:
        device.poll()
    assert caught.value.status is Status.RING_OVERRUN
    _works(device)


@pytest.mark.parametrize("register", ["QUEUE_BASE_LO", "COMPLETION_BASE_LO"])
def test_misaligned_queue(open_device, register):
    """A ring at an odd address is fetched from the address below it."""
    device = open_device()
    device.registers.write(register, 8)
    with pytest.raises(DeviceError, match="MISALIGNED"):
        device.submit([_nop()]).wait()
    _works(device)


def test_fetch_from_bad_memory(open_device):
    """The chip waits for ever for a ring that the memory refuses to read."""
    device = open_device(dram=Dram(size_bytes=1 << 21))
    device.registers.write("QUEUE_BASE_LO", 1 << 21)
    with pytest.raises(DeviceError, match="FETCH_BUS"):
        device.submit([_nop()]).wait()
    _works(device)


def test_first_failure_counts(open_device):
    """A later failure overwrites the first one's status."""
    commands = [_transfer(Opcode.LOAD, 0), *[_nop()] * 8, _nop(tile=(9, 9))]
    device = open_device()
    with pytest.raises(DeviceError) as caught:
        device.submit(commands).wait()
    assert caught.value.status in (Status.WINDOW, Status.ILLEGAL_TILE)
    assert caught.value.index == (0 if caught.value.status is Status.WINDOW else 9)
    _works(device)


def test_every_pending_submission_fails(open_device):
    """A submission behind a failed one is waited for in vain."""
    device = open_device()
    good = device.submit([_nop()])
    bad = device.submit([_nop(tile=(3, 3))])
    behind = device.submit([_nop()])
    good.wait()
    for event in (bad, behind):
        with pytest.raises(DeviceError, match="ILLEGAL_TILE"):
            event.wait()
    device.synchronize()
    _works(device)


def test_failure_nobody_waited_for_is_raised_once(open_device):
    """An error is lost because its event was thrown away."""
    device = open_device()
    device.submit([_nop(tile=(3, 3))])
    with pytest.raises(DeviceError, match="ILLEGAL_TILE"):
        device.synchronize()
    device.synchronize()
    _works(device)
