"""Stores to the scratchpads of tiles on the model."""

import numpy as np
import pytest
from model_rig import ModelRig
from weft.commands import pack
from weft_hw.isa import SEMAPHORE_MAX, Engine, Opcode, Status
from weft_hw.presets import preset

FLIT = preset("quad").flit_bytes


def rig() -> ModelRig:
    made = ModelRig("quad", ring_log2=9)
    for number, tile in enumerate(made.target.tiles):
        pad = tile.scratchpad.data
        pad[:] = np.random.default_rng(number).integers(0, 256, pad.shape, np.uint8)
    return made


def pads(made: ModelRig) -> list[np.ndarray]:
    return [tile.scratchpad.data.copy() for tile in made.target.tiles]


@pytest.mark.parametrize(
    "area", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 1, 0), (0, 1, 1, 1), (0, 0, 1, 1)]
)
@pytest.mark.parametrize(
    ("rows", "row_bytes", "stride", "remote"),
    [(1, 1, 1, 1), (5, 8, 1, 1), (40, 16, 2, 2), (3, 100, 13, 20), (4, 30, 5, 4), (300, 8, 1, 1)],
)
def test_rows_go_to_a_rectangle(
    area: tuple[int, int, int, int], rows: int, row_bytes: int, stride: int, remote: int
) -> None:
    made = rig()
    want = pads(made)
    source = want[1].copy()
    per_row = -(-row_bytes // FLIT)
    for i in range(rows):
        line = np.zeros(per_row * FLIT, np.uint8)
        line[:row_bytes] = source[40 + i * stride :].reshape(-1)[:row_bytes]
        for number in range(4):
            x, y = number % 2, number // 2
            if area[0] <= x <= area[2] and area[1] <= y <= area[3]:
                begin = 2000 + i * remote
                want[number][begin : begin + per_row] = line.reshape(per_row, FLIT)
    made.run(
        pack(
            Opcode.STORE, tile=(1, 0), to_tiles=1, x_first=area[0], y_first=area[1],
            x_last=area[2], y_last=area[3], rows=rows, row_bytes=row_bytes, local_row=40,
            local_stride=stride, remote_row=2000, remote_stride=remote,
        )
    )  # fmt: skip
    for got, expected in zip(pads(made), want, strict=True):
        np.testing.assert_array_equal(got, expected)
    words = made.page(2, 1, 0)
    assert words[4] == rows * row_bytes, "each byte is counted once"


def test_semaphores_are_given_there() -> None:
    made = rig()
    everywhere = {"to_tiles": 1, "x_last": 1, "y_last": 1}
    made.run(
        pack(Opcode.STORE, **everywhere, remote_signal=0b101),
        *(pack(Opcode.NOP, tile=(x, y), engine=1, wait=0b101) for x in (0, 1) for y in (0, 1)),
        pack(Opcode.STORE, **everywhere, rows=2, row_bytes=8, local_stride=1, remote_stride=1,
             remote_signal=0b10),
    )  # fmt: skip
    for y in (0, 1):
        for x in (0, 1):
            assert made.page(0, x, y)[8] == 0b10 << 7, "semaphore 1 is one, the others zero"


def test_ends_keep_the_order_of_commands() -> None:
    """A store to memory, which takes long, ends before the one to tiles behind it."""
    made = rig()
    made.run(
        pack(Opcode.STORE, memory_address=64, row_bytes=800, rows=1),
        pack(Opcode.STORE, to_tiles=1, x_last=1, rows=1, row_bytes=8, remote_row=9),
    )
    ends = [made.events(Engine.STORE, index)[1] for index in (0, 1)]
    assert ends[0] < ends[1]


FAULTS = {
    "no row": ({"rows": 1, "row_bytes": 0}, Status.ILLEGAL_FIELD),
    "turned round": ({"x_first": 1}, Status.ILLEGAL_FIELD),
    "outside": ({"x_last": 2}, Status.ILLEGAL_TILE),
    "here": ({"rows": 2, "row_bytes": 8, "local_row": 8191, "local_stride": 1, "remote_stride": 1},
             Status.LOCAL_RANGE),
    "there": ({"rows": 2, "row_bytes": 8, "remote_row": 8191, "local_stride": 1,
               "remote_stride": 1}, Status.LOCAL_RANGE),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FAULTS))
def test_a_store_to_tiles_is_refused(case: str) -> None:
    fields, status = FAULTS[case]
    made = rig()
    error = made.fail(pack(Opcode.STORE, to_tiles=1, **fields))
    assert error == {"STATUS": status.value, "INDEX": 0, "SOURCE": Engine.STORE.value}
    made.reset_queue()
    made.run(pack(Opcode.STORE, to_tiles=1, x_last=1))


def test_a_semaphore_overflows_elsewhere() -> None:
    made = rig()
    signals = [pack(Opcode.NOP, tile=(1, 1), engine=1, signal=1)] * SEMAPHORE_MAX
    made.run(*signals)
    far = pack(Opcode.STORE, to_tiles=1, x_first=1, y_first=1, x_last=1, y_last=1, remote_signal=1)
    assert made.fail(far)["STATUS"] == Status.SEMAPHORE_OVERFLOW.value


def test_a_chip_with_one_tile_has_no_others() -> None:
    made = ModelRig("nano")
    error = made.fail(pack(Opcode.STORE, to_tiles=1, rows=1, row_bytes=4))
    assert error["STATUS"] == Status.ILLEGAL_FIELD.value
