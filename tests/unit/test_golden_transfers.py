"""The goldens of the load engine against definitions that do not share their loops."""

import numpy as np
import pytest
from weft_hw.isa import Opcode, Status
from weft_hw.presets import preset
from weft_sim.golden.transfers import Access, Fault, accesses, run_transfer

CONFIG = preset("nano")
FLIT = CONFIG.flit_bytes


def blank():
    return np.full((CONFIG.tile.scratchpad_rows, FLIT), 0xA5, np.uint8)


def run(opcode, fields, memory, scratchpad=None):
    """The command on a memory that is an array, wherever its address 0 is."""

    def read(address, length):
        assert 0 <= address <= len(memory) - length, "a read beyond the array"
        return memory[address : address + length]

    return run_transfer(CONFIG, opcode, fields, read, blank() if scratchpad is None else scratchpad)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("pad", [0, 1, 2])
def test_im2col_is_sliding_windows_of_the_padded_image(pad, step):
    rng = np.random.default_rng(pad)
    height, width, channels, kernel = 5, 6, 3, 3
    image = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), constant_values=7)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (0, 1))
    windows = windows[::step, ::step].transpose(0, 1, 3, 4, 2)
    out_y, out_x = windows.shape[:2]
    fields = {
        "memory_address": -(pad * width + pad) * channels % (1 << CONFIG.host.address_bits),
        "row_bytes": channels,
        "rows": out_x,
        "memory_stride": step * channels,
        "local_stride": kernel * kernel,
        "more_1": out_y - 1,
        "memory_stride_1": step * width * channels,
        "local_stride_1": out_x * kernel * kernel,
        "more_2": kernel - 1,
        "memory_stride_2": channels,
        "local_stride_2": 1,
        "more_3": kernel - 1,
        "memory_stride_3": width * channels,
        "local_stride_3": kernel,
        "padded": 1,
        "pad_y": -pad,
        "pad_x": -pad,
        "step_y": step,
        "step_x": step,
        "dilation_y": 1,
        "dilation_x": 1,
        "height": height,
        "width": width,
        "pad_value": 0x07070707,
    }
    got, status, _ = run(Opcode.LOAD, fields, image.reshape(-1))
    assert status is Status.OK
    rows = windows.reshape(-1, channels)
    np.testing.assert_array_equal(got[: len(rows), :channels], rows)
    assert not got[: len(rows), channels:].any()
    assert (got[len(rows) :] == 0xA5).all()


def test_loops_are_strides():
    memory = np.random.default_rng(1).integers(0, 256, 4096, dtype=np.uint8)
    shape, strides = (2, 3, 2, 4), (1000, -60, 300, 17)
    want = np.lib.stride_tricks.as_strided(memory[200:], (*shape, 5), (*strides, 1))
    fields = {"memory_address": 200, "row_bytes": 5, "rows": 4, "memory_stride": 17}
    fields |= {"more_3": 1, "more_2": 2, "more_1": 1, "local_stride": 2, "local_stride_1": 8}
    fields |= {"memory_stride_3": 1000, "memory_stride_2": -60, "memory_stride_1": 300}
    fields |= {"local_stride_2": 16, "local_stride_3": 48}
    got, status, _ = run(Opcode.LOAD, fields, memory)
    assert status is Status.OK
    lines = got[: 2 * 48].reshape(-1, 2 * FLIT)
    np.testing.assert_array_equal(lines[:, :5], want.reshape(-1, 5))
    assert not lines[:, 5:].any()


def test_rows_without_gaps_are_one_run():
    fields = {"row_bytes": FLIT, "rows": 200, "memory_stride": FLIT, "local_stride": 1}
    packet = CONFIG.mesh.max_packet_bytes
    got = list(accesses(CONFIG, Opcode.LOAD, fields, blank()))
    sizes = [item.length for item in got]
    assert sizes == [packet] * (200 * FLIT // packet) + [200 * FLIT % packet]
    # with padding each row counts alone
    fields |= {"padded": 1, "height": 1, "width": 100, "step_x": 1}
    got = list(accesses(CONFIG, Opcode.LOAD, fields, blank()))
    assert [item.value is None for item in got] == [True] * 100 + [False] * 100


def test_fill_repeats_its_value():
    got, status, _ = run(
        Opcode.FILL, {"row": 2, "rows": 2, "columns": 3, "stride": 5, "value": 0x04030201}, None
    )
    assert status is Status.OK
    filled = [2, 3, 4, 7, 8, 9]
    assert (got[filled] == [1, 2, 3, 4]).all()
    assert (np.delete(got, filled, axis=0) == 0xA5).all()


def test_gather_is_fancy_indexing():
    rng = np.random.default_rng(2)
    table = rng.integers(0, 256, (40, 9), dtype=np.uint8)
    indices = rng.integers(0, 40, 7).astype(np.int32)
    scratchpad = blank()
    rows = -(-4 * len(indices) // FLIT)
    scratchpad[100 : 100 + rows].reshape(-1)[: 4 * len(indices)] = indices.view(np.uint8)
    fields = {"row_bytes": 9, "memory_stride": 9, "rows": 7, "local_stride": 3, "index_row": 100}
    got, status, _ = run(Opcode.GATHER, fields | {"limit": 40}, table.reshape(-1), scratchpad)
    assert status is Status.OK
    lines = got[:21].reshape(7, 3 * FLIT)
    np.testing.assert_array_equal(lines[:, :9], table[indices])
    assert not lines[:, 9:].any()
    # the first index that is too large ends it, with the rows before it loaded
    limit = int(indices.max())
    bad = int(np.argmax(indices == limit))
    got, status, address = run(
        Opcode.GATHER, fields | {"limit": limit}, table.reshape(-1), scratchpad
    )
    assert (status, address) == (Status.INDEX, 100 + bad * 4 // FLIT)
    assert (got[3 * bad : 21] == 0xA5).all()


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_transpose_is_a_load_of_the_transposed(dtype):
    config = CONFIG.replace_tile(transpose=True)
    size = np.dtype(dtype).itemsize
    matrix = np.random.default_rng(3).integers(-99, 99, (7, 21)).astype(dtype)
    blocks = -(-7 * size // FLIT)
    fields = {"row_bytes": 21 * size, "memory_stride": 21 * size, "rows": 7}
    fields |= {"local_stride": blocks + 1, "transpose": {1: 1, 2: 2, 4: 3}[size]}
    memory = matrix.reshape(-1).view(np.uint8)

    def read(address, length):
        return memory[address : address + length]

    got, status, _ = run_transfer(config, Opcode.LOAD, fields, read, blank())
    assert status is Status.OK
    plain = {"row_bytes": 7 * size, "memory_stride": 7 * size, "rows": 21}
    memory = np.ascontiguousarray(matrix.T).reshape(-1).view(np.uint8)
    want, _, _ = run_transfer(
        config, Opcode.LOAD, plain | {"local_stride": blocks + 1}, read, blank()
    )
    np.testing.assert_array_equal(got, want)
    # where it is not built in, it is refused
    refused = [Fault(Status.ILLEGAL_FIELD, 0)]
    assert list(accesses(CONFIG, Opcode.LOAD, fields, blank())) == refused


@pytest.mark.parametrize(
    ("opcode", "fields", "fault"),
    [
        (Opcode.LOAD, {"rows": 1}, Fault(Status.ILLEGAL_FIELD, 0)),
        (Opcode.FILL, {"rows": 1}, Fault(Status.ILLEGAL_FIELD, 0)),
        (
            Opcode.LOAD,
            {"rows": 1, "row_bytes": 1, "padded": 1, "width": 1},
            Fault(Status.ILLEGAL_FIELD, 0),
        ),
        (
            Opcode.LOAD,
            {"rows": 1, "row_bytes": 1, "memory_address": 1 << 40},
            Fault(Status.WINDOW, (1 << 40) - 1),
        ),
        (
            Opcode.FILL,
            {"rows": 1, "columns": 1, "row": 9999},
            Fault(Status.LOCAL_RANGE, 9999),
        ),
    ],
)
def test_faults_end_a_command(opcode, fields, fault):
    assert list(accesses(CONFIG, opcode, fields, blank())) == [fault]


def test_outer_loops_wrap_and_the_inner_one_does_not():
    top = 1 << CONFIG.host.address_bits
    fields = {"rows": 2, "row_bytes": 1, "memory_stride": 1, "memory_address": top - 1}
    fault = Fault(Status.WINDOW, top - 1)
    assert list(accesses(CONFIG, Opcode.LOAD, fields, blank())) == [Access(top - 1, 1, 0), fault]
    fields |= {"rows": 1, "more_1": 1, "memory_stride_1": 3}
    wrapped = [Access(top - 1, 1, 0), Access(2, 1, 0)]
    assert list(accesses(CONFIG, Opcode.LOAD, fields, blank())) == wrapped
