"""The parts of the serial target that need no board: frames, the memory that keeps in step,
arguments."""

from __future__ import annotations

import os
import tty

import numpy as np
import pytest
from weft import Device
from weft.serial.frames import FrameReader, frame, request
from weft.serial.memory import SyncedMemory
from weft.serial.port import Port
from weft_sim.dram import Dram

SIZE = 4096


class FakeLink:
    """A board's memory, and what was asked of it."""

    def __init__(self):
        self.bytes = np.full(SIZE, 0xEE, np.uint8)
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []

    def clear_memory(self, address, size):
        self.bytes[address : address + size] = 0

    def read_memory(self, address, size):
        self.reads.append((address, size))
        return self.bytes[address : address + size].tobytes()

    def write_memory(self, address, data):
        self.writes.append((address, len(data)))
        self.bytes[address : address + len(data)] = np.frombuffer(data, np.uint8)


@pytest.fixture
def link():
    return FakeLink()


@pytest.fixture
def memory(link):
    return SyncedMemory(link, SIZE, lambda: True)


def test_only_what_changed_is_sent(link, memory):
    """All of memory sent for each doorbell, which takes seconds."""
    memory[100:200][...] = 7
    memory[1000:1004] = [1, 2, 0, 3]
    memory.flush()
    memory.flush()
    assert link.writes == [(100, 100), (1000, 4)]
    np.testing.assert_array_equal(memory[:], link.bytes)
    assert link.reads == []


def test_what_the_board_wrote_is_fetched_once(link, memory):
    """A view of what the host last wrote, where the board has written since."""
    memory.expect_writes([(128, 300)])
    link.bytes[128:300] = 9
    assert (memory[120:140] == [0] * 8 + [9] * 12).all()
    assert link.reads == [(128, 64)]
    assert (memory[128:300] == 9).all()
    assert (memory[128:300] == 9).all()
    assert link.reads == [(128, 64), (192, 128)]


def test_writes_of_both_sides_are_kept(link, memory):
    """A byte of the board's overwritten by the host's write beside it."""
    view = memory[0:64]
    memory.expect_writes([(0, 64)])
    link.bytes[1:63:2] = 5
    view[0:64:2] = 6
    got = memory[0:64]
    assert (got[0::2] == 6).all()
    assert (got[1:63:2] == 5).all()
    np.testing.assert_array_equal(got, link.bytes[:64])


def test_nothing_is_final_while_the_board_runs(link):
    """A completion record that is read too early and never again."""
    memory = SyncedMemory(link, SIZE, lambda: False)
    memory.expect_writes([(0, 32)])
    assert memory[3] == 0
    link.bytes[3] = 1
    assert memory[3] == 1


def test_memory_is_an_array(link, memory):
    assert len(memory) == SIZE
    memory[10] = 3
    assert memory[10] == 3
    assert memory[-SIZE + 10] == 3
    assert np.asarray(memory)[10] == 3
    assert np.shares_memory(memory[0:10], memory[5:20])
    assert memory[5:5].size == 0
    assert memory[::2].shape == (SIZE // 2,)


@pytest.mark.parametrize(
    "content", [b"\xc0\xdb", b"\xdb\xdc\xdb\xdd\xc0", bytes(range(256)), b"ab"]
)
def test_frames_survive_any_bytes(content):
    """Escapes undone in the wrong order."""
    reader = FrameReader()
    whole = frame(content)
    assert whole.count(b"\xc0") == 2
    assert [part for byte in whole for part in reader.feed(bytes([byte]))] == [content]
    assert reader.broken == 0


def test_broken_frames_are_counted():
    reader = FrameReader()
    whole = bytearray(frame(b"hello"))
    whole[3] ^= 1
    assert reader.feed(bytes(whole) + b"\xc0\xc0" + frame(b"next")) == [b"next"]
    assert reader.broken == 1


def test_request_layout():
    """A header whose fields stand in another order than the hardware's."""
    sent = request("WRITE_MEMORY", 7, 0x01020304, 5, b"hello")
    assert sent[1:11] == bytes((5, 7, 4, 3, 2, 1, 5, 0, 0, 0))


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("serial:", {}, ValueError, "target must be serial:PATH or serial:PATH@BAUD"),
        ("serial:/dev/null@fast", {}, ValueError, "target must be serial:PATH or serial:PATH@BAUD"),
        ("serial:/dev/null@12345", {}, ValueError, "baud must be a speed that the system knows"),
        (
            "serial:/dev/null",
            {},
            ValueError,
            "serial port must be a terminal, and /dev/null is none",
        ),
        ("serial:/no/such/port", {}, FileNotFoundError, "/no/such/port"),
        ("serial:/dev/null", {"dram": Dram()}, ValueError, "dram must be left out for a board"),
    ],
)
def test_wrong_ports(name, options, error, message):
    with pytest.raises(error, match=message):
        Device(name, **options)


def test_port_that_takes_nothing_times_out():
    """A write that waits for ever on a line whose other end has hung."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    port = Port(os.ttyname(theirs), 1_000_000)
    try:
        with pytest.raises(TimeoutError, match="does not take what is sent"):
            port.write(bytes(1 << 20), 0.0)
    finally:
        port.close()
        os.close(ours)
        os.close(theirs)
