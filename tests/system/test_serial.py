"""A board on a serial line: the FPGA top, compiled, behind a pseudo-terminal, under the same
driver."""

from __future__ import annotations

import os
import tty
from contextlib import closing

import numpy as np
import pytest
from operands import int8
from real_chips import check_arguments, check_digits, check_nothing_recorded, check_recovery
from weft import Device
from weft.commands import pack
from weft.errors import DeviceError
from weft.serial import SerialError, SerialTarget
from weft.serial.frames import request
from weft.serial.simulated_board import SimulatedBoard
from weft_hw.isa import Opcode, Status
from weft_hw.presets import preset

pytestmark = pytest.mark.rtl

#: What fits the board's memory beside weights, ring and results.
IMAGES = 96
MEMORY_KIB = 128


@pytest.fixture(scope="module")
def board():
    with SimulatedBoard(preset("ecp5"), memory_kib=MEMORY_KIB) as one:
        yield one


def test_digits_network_is_bit_exact_through_the_serial_line(board):
    # a busy machine simulates the board slowly: an answer that is late is not one that was lost
    target = SerialTarget(board.path, preset("ecp5"), timeout_s=60.0)
    with closing(target), Device(target, "ecp5") as device:
        classifier, scores = check_digits(device, IMAGES)
        right = np.argmax(scores, axis=1) == classifier.labels[:IMAGES]
        assert np.mean(right) > 0.9
        assert target.link.retries == 0
        # nothing crosses the line twice: weights, images and commands out, results in
        out = sum(layer.weight.nbytes + 8 * layer.weight.shape[1] for layer in classifier.layers)
        assert target.memory.bytes_sent < 2 * (out + classifier.images[:IMAGES].nbytes)
        assert target.memory.bytes_received < 2 * IMAGES * (128 + 64 + 10)


def test_board_tells_its_configuration(board):
    with Device(f"serial:{board.path}") as device:
        assert device.config.tile == preset("ecp5").tile
        assert len(device.target.memory) == MEMORY_KIB * 1024


def test_buffers_keep_up_with_both_sides(board):
    rng = np.random.default_rng(5)
    a = int8(rng, 9, 17)
    b = int8(rng, 17, 11)
    with Device(f"serial:{board.path}", "ecp5") as device:
        left, right = device.array(a), device.array(b)
        product = device.matmul(left, right)
        np.testing.assert_array_equal(product.numpy(), a.astype(np.int32) @ b)
        # the device has written product; the host changes one byte of it and one of an operand
        product.numpy()[3, 4] = 12345
        assert product.numpy()[3, 4] == 12345
        left.numpy()[0, 0] ^= 1
        a[0, 0] ^= 1
        again = device.matmul(left, right)
        np.testing.assert_array_equal(again.numpy(), a.astype(np.int32) @ b)
        assert product.numpy()[3, 4] == 12345
        # memory of a buffer that was freed is used again
        product.free()
        zeros = device.zeros(product.shape, np.int32)
        device.matmul(left, right)
        assert not zeros.numpy().any()


def test_failed_command_leaves_the_board_usable(board):
    with Device(f"serial:{board.path}", "ecp5") as device:
        check_recovery(device)


def test_what_the_chip_has_not_is_refused(board):
    """A load with loops, or a fill, that an engine without them takes for another."""
    load = {"row_bytes": 16, "rows": 1, "memory_stride": 16, "local_stride": 2}
    kinds = [
        (pack(Opcode.LOAD, more_2=1, **load), Status.ILLEGAL_FIELD),
        (pack(Opcode.FILL, rows=1, columns=1), Status.ILLEGAL_OPCODE),
        (pack(Opcode.GATHER, **load), Status.ILLEGAL_OPCODE),
    ]
    images, weight = np.ones((1, 4, 4, 1), np.int8), np.ones((2, 2, 1, 1), np.int8)
    for target in (f"serial:{board.path}", "model"):
        with Device(target, "ecp5") as device:
            for command, status in kinds:
                with pytest.raises(DeviceError) as caught:
                    device.submit([command]).wait()
                assert caught.value.status is status
            for kernel, operands in (
                (device.conv2d, (images, weight)),
                (device.max_pool2d, (images, 2)),
                (device.gather, (images[0, 0], np.zeros(3, np.int32))),
            ):
                with pytest.raises(ValueError, match="ecp5 must be built with tensor_loads for"):
                    kernel(*operands)
            row = images[0, :1, :, 0]
            np.testing.assert_array_equal(device.matmul(row, row.T.copy()).numpy(), [[4]])


def test_reset_keeps_memory(board):
    target = SerialTarget(board.path)
    try:
        target.memory[1000:1010] = np.arange(10)
        target.reset()
        assert target.link.read_memory(1000, 10) == bytes(range(10))
        assert target.cycle < 1_000_000
    finally:
        target.close()


def test_noise_on_the_line_is_survived(board):
    half = b"\xc0\x05\x01\x00"
    # a wrong sum; then a sum and an operation that are right, but 4 bytes of data too few
    broken, short = b"\xc0" + bytes(14) + b"\xc0", request("WRITE_MEMORY", 9, 0, 8, b"xxxx")
    # far beyond what a busy machine takes to simulate an answer
    target = SerialTarget(board.path, timeout_s=10.0)
    line = os.open(board.path, os.O_WRONLY | os.O_NOCTTY)
    try:
        for number, noise in enumerate((half, broken, short, b"\xdb\xdb", short[:9])):
            os.write(line, noise)
            target.link.write_memory(64 * number, bytes([number + 1]))
            assert target.link.read_memory(64 * number, 1) == bytes([number + 1])
            assert target.link.read_memory(64 * number + 1, 63) == bytes(63)
    finally:
        os.close(line)
        target.close()


def test_refused_requests_say_why(board):
    target = SerialTarget(board.path)
    try:
        with pytest.raises(SerialError, match="refused READ_MEMORY at 0x1ffff: RANGE"):
            target.link.read_memory(MEMORY_KIB * 1024 - 1, 2)
        with pytest.raises(SerialError, match="refused READ_REGISTER at 0x1000: RANGE"):
            target.link.read_register(0x1000)
        with pytest.raises(SerialError, match="refused CLEAR_MEMORY at 0x0: BAD_REQUEST"):
            target.link.clear_memory(0, 0)
        with pytest.raises(SerialError, match="refused CLEAR_MEMORY at 0x40: RANGE"):
            target.link.clear_memory(64, 2**32 - 64)
        assert target.link.read_memory(MEMORY_KIB * 1024 - 1, 1) == b"\0"
    finally:
        target.close()


def test_one_program_at_a_time(board):
    with (
        Device(f"serial:{board.path}", "ecp5"),
        pytest.raises(SerialError, match="in use by another program"),
    ):
        SerialTarget(board.path)


def test_other_configuration_is_refused(board):
    with pytest.raises(ValueError, match=r"tile.array_rows 8, but configuration nano has 4"):
        Device(f"serial:{board.path}", "nano")


def test_board_records_no_events(board):
    with closing(SerialTarget(board.path)) as target:
        check_nothing_recorded(target, "a board")


def test_wrong_arguments_do_not_reach_the_board(board):
    with closing(SerialTarget(board.path)) as target:
        check_arguments(target, 2**32 - 4)


def test_silent_line_is_a_clear_error():
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        with pytest.raises(SerialError, match=r"nobody answers on .* is the board programmed"):
            SerialTarget(os.ttyname(theirs), timeout_s=0.05)
    finally:
        os.close(ours)
        os.close(theirs)
