"""The ring: wrapping, back-pressure, events, many submissions."""

import numpy as np
import pytest
from operands import int8
from weft import Device, DeviceError
from weft.commands import pack
from weft_hw.isa import Engine, Opcode
from weft_sim.golden import matmul_int8


def _nops(count: int) -> list[bytes]:
    return [pack(Opcode.NOP, engine=Engine(number % 4)) for number in range(count)]


def test_ring_wraps(open_device):
    """The driver writes beyond the ring, or the chip reads the wrong entry, after the first lap."""
    device = open_device(ring_entries=8)
    first = [device.submit(_nops(count % 7)) for count in range(20)]
    for event in first:
        event.wait()
        assert event.done
    assert device.registers.read("COMPLETED") == device.queue.ring.tail


def test_back_pressure(open_device):
    """A submission longer than the ring overwrites commands that were not fetched."""
    device = open_device(ring_entries=4)
    event = device.submit(_nops(50))
    event.wait()
    assert device.registers.read("COMPLETED") == 51


def test_more_submissions_than_records(open_device):
    """A completion record is overwritten before its event has seen it."""
    device = open_device(ring_entries=4)
    events = [device.submit(_nops(1)) for _ in range(30)]
    cycles = [event.end_cycle for event in events]
    assert cycles == sorted(cycles)
    assert len(set(cycles)) == len(cycles)


def test_events_end_in_order(open_device):
    """An event is done before those submitted earlier."""
    device = open_device()
    events = [device.submit(_nops(3)) for _ in range(5)]
    events[3].wait()
    assert [event.finished for event in events[:4]] == [True] * 4
    device.synchronize()
    assert events[4].done


def test_done_does_not_wait(open_device):
    """Asking whether an event is done blocks until it is."""
    device = open_device()
    a = np.ones((64, 64), np.int8)
    event = device.matmul_async(a, a)
    assert not event.done
    np.testing.assert_array_equal(event.wait(), matmul_int8(a, a))
    assert event.done


def test_empty_submission(open_device):
    """A submission of nothing never ends."""
    device = open_device()
    event = device.submit([])
    event.wait()
    assert event.done


def test_asynchronous_products_keep_their_operands(open_device):
    """Operands are freed, and their memory used again, while the device still reads them."""
    device = open_device()
    rng = np.random.default_rng(3)
    operands = [int8(rng, 2, 12, 12) for _ in range(6)]
    events = [device.matmul_async(pair[0], pair[1]) for pair in operands]
    for pair, event in zip(operands, events, strict=True):
        np.testing.assert_array_equal(event.wait(), matmul_int8(pair[0], pair[1]))
    del event, events
    assert device.allocator.used_bytes == 0


def test_operands_are_let_go_when_done(open_device):
    """An event that is kept holds its operands' memory for ever."""
    device = open_device()
    a = np.ones((40, 40), np.int8)
    event = device.matmul_async(a, a)
    result = event.wait()
    assert device.allocator.used_bytes == result.nbytes
    assert event.done


def test_reset_by_hand(open_device):
    """A reset leaves submissions pending, or the queue dead."""
    device = open_device()
    event = device.submit(_nops(4))
    device.reset_queue()
    if not event.finished or event.error is not None:
        with pytest.raises(DeviceError, match="queue was reset"):
            event.wait()
    device.submit(_nops(4)).wait()


def test_device_of_an_open_target(open_device):
    """A second driver on a target that is already open does not find its configuration."""
    first = open_device("nano")
    with Device(first.target) as second:
        assert second.config == first.config
    with pytest.raises(ValueError, match=r"tile.array_rows 4, but configuration ecp5 has 8"):
        Device(first.target, "ecp5")


def test_submissions_in_every_cycle(open_device):
    """A doorbell that rings while the fetcher looks at the tail is never heard."""
    device = open_device("micro")
    nop = pack(Opcode.NOP)
    for _ in range(40):
        device.submit([nop])
        device.submit([nop] * 3)
        device.submit([nop] * 2).wait(timeout_cycles=10_000)
