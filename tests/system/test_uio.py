"""A chip behind memory-mapped windows: the driver over files that stand in for a board's."""

from __future__ import annotations

import os
import runpy
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from real_chips import check_arguments, check_digits, check_nothing_recorded, check_recovery
from weft import Device
from weft.uio import UioError, open_uio
from weft.uio.memory import open_memory
from weft.uio.registers import MappedRegisters
from weft.uio.stand_in import StandIn
from weft_hw.boards.zynq import BASE_HI, BASE_LO, WINDOW_BYTES
from weft_hw.presets import preset

MEMORY_BYTES = 1 << 20
IMAGES = 48


def _stand_in(folder: Path, kind: str, name: str) -> StandIn:
    return StandIn(folder, preset(name), kind=kind, memory_bytes=MEMORY_BYTES)


@pytest.fixture
def board(tmp_path):
    with _stand_in(tmp_path, "model", "nano") as one:
        yield one


@pytest.mark.parametrize(
    ("kind", "name"),
    [("model", "ecp5"), pytest.param("rtl", "nano", marks=pytest.mark.rtl)],
)
def test_digits_network_is_bit_exact(tmp_path, kind, name):
    with _stand_in(tmp_path, kind, name) as board, Device(board.name, name) as device:
        check_digits(device, IMAGES)


def test_chip_tells_its_configuration(board):
    with Device(board.name) as device:
        assert device.config.tile == preset("nano").tile
        assert len(device.target.memory) == MEMORY_BYTES
        assert device.target.read_register(BASE_LO) == 0x1000_0000
    with pytest.raises(ValueError, match="array_rows 4, but configuration ecp5 has 8"):
        Device(board.name, "ecp5")


def test_failed_command_leaves_it_usable(board):
    for _ in range(2):
        with Device(board.name, "nano") as device:
            check_recovery(device)


def test_work_left_by_another_driver_is_cleared(board):
    device = Device(board.name, "nano")
    a = np.ones((64, 64), np.int8)
    device.matmul(a, a)
    device.target.close()
    with Device(board.name, "nano") as device:
        np.testing.assert_array_equal(device.matmul(a, a).numpy(), np.full((64, 64), 64))


def test_nothing_is_recorded(board):
    with Device(board.name, "nano") as device:
        check_nothing_recorded(device.target, "a memory-mapped chip")


def test_wrong_arguments_do_not_reach_the_chip(board):
    with Device(board.name, "nano") as device:
        check_arguments(device.target, BASE_HI)


def test_registers_are_words_of_a_mapped_file(tmp_path):
    file = tmp_path / "uio0"
    file.write_bytes(bytes(WINDOW_BYTES))
    window = MappedRegisters(str(file))
    window.write(BASE_HI, 0x01020304)
    window.write(0x40, 0xFFFF_FFFF)
    assert window.read(BASE_HI) == 0x01020304
    with pytest.raises(UioError, match="uio0 is in use by another program; close that first"):
        MappedRegisters(str(file))
    window.close()
    with pytest.raises(ValueError, match="uio0 is closed"):
        window.read(0)
    content = file.read_bytes()
    assert content[BASE_HI : BASE_HI + 4] == bytes([4, 3, 2, 1])
    assert content[0x40:0x44] == b"\xff" * 4
    assert content.count(0) == len(content) - 8
    MappedRegisters(str(file)).close()


def test_memory_is_a_mapped_file(tmp_path):
    file = tmp_path / "buffer"
    file.write_bytes(bytes(range(256)) * 32)
    memory = open_memory(str(file), 0x3000)
    assert (len(memory.bytes), memory.base) == (8192, 0x3000)
    memory.bytes[4097] = 77
    assert file.read_bytes()[4097] == 77


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("uio:", "target must be uio:REGISTERS,MEMORY or uio:REGISTERS,MEMORY@BASE"),
        ("uio:/dev/uio0", "target must be uio:REGISTERS,MEMORY"),
        ("uio:/dev/uio0,/dev/buffer@here", "target must be uio:REGISTERS,MEMORY"),
        ("uio:{registers},{none}@0", "none does not exist; load the module u-dma-buf"),
        ("uio:{none},{memory}@0", "none does not exist; load the overlay and its device tree"),
        ("uio:{registers},{memory}", "memory does not tell its physical address; give it behind"),
        ("uio:{registers},{memory}@0x10", "must have a address in whole pages|address in whole"),
        ("uio:{registers},{odd}@0", "odd must have a size in whole pages of 4096 bytes, not 0x64"),
        ("uio:{small},{memory}@0", "small must be a window of at least 8192 bytes .* has 4096"),
        ("uio:{registers},{memory}@0", "device must identify itself as 0x54464557"),
    ],
)
def test_mistakes_are_clear(tmp_path, name, message):
    sizes = {"registers": WINDOW_BYTES, "memory": 8192, "odd": 100, "small": 4096}
    for file, size in sizes.items():
        (tmp_path / file).write_bytes(bytes(size))
    paths = {file: tmp_path / file for file in (*sizes, "none")}
    with pytest.raises((ValueError, OSError), match=message):
        open_uio(name.format(**paths))


def test_file_without_permission_is_a_clear_error(tmp_path, monkeypatch):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"uio0 may not be read and written .* udev rule"):
        MappedRegisters("/dev/uio0")


def test_chip_without_the_wrapper_is_refused(tmp_path):
    """A window where the base's registers do not keep what is written."""
    with _stand_in(tmp_path, "model", "nano") as board:
        board._access = _forgetful(board._access)
        with pytest.raises(UioError, match=r"must keep the memory's address .* --wrapper zynq"):
            Device(board.name)


def _forgetful(access):
    return lambda write, offset, value: 0 if offset == BASE_LO else access(write, offset, value)


def test_nobody_at_the_socket_is_a_clear_error(tmp_path):
    with _stand_in(tmp_path, "model", "nano") as board:
        name = board.name
        os.link(board.registers, tmp_path / "left")
    assert stat.S_ISSOCK((tmp_path / "left").stat().st_mode)
    with pytest.raises(UioError, match=r"nobody serves .*left .*; start the stand-in"):
        open_uio(name.replace("registers", "left"))


def test_memory_beyond_the_address_bits_is_refused(board):
    name = board.name.replace("@0x10000000", "@0xfffffff000")
    with pytest.raises(ValueError, match="must end within the chip's 40 address bits"):
        Device(name)


def test_example_runs_on_a_simulated_board(monkeypatch, capsys):
    example = Path(__file__).parents[2] / "sw" / "examples" / "zynq_digits.py"
    monkeypatch.setattr(sys, "argv", [example.name, "--simulate", "model", "--images", "8"])
    runpy.run_path(str(example), run_name="__main__")
    assert "every score as expected: True" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [example.name, "--bitstream", "weft.bit"])
    with pytest.raises(SystemExit, match="pynq is needed to load a bitstream, and was not found"):
        runpy.run_path(str(example), run_name="__main__")


def test_stand_in_of_an_odd_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="target must be one of model, rtl, not 'board'"):
        StandIn(tmp_path, preset("nano"), kind="board")
    with pytest.raises(ValueError, match="size_bytes must be a positive multiple of 4096"):
        StandIn(tmp_path, preset("nano"), memory_bytes=100)
