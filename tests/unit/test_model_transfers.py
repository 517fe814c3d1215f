"""Loads with loops and padding, and fills, on the model against the golden transfers."""

import numpy as np
import pytest
from model_rig import MEMORY_BYTES, ModelRig
from weft.commands import pack
from weft_hw.isa import Engine, Opcode, Status
from weft_sim.golden.transfers import Access, accesses, run_transfer
from weft_sim.model.decode import decode
from weft_sim.model.walks import Fill


def rig_with_data(name: str, seed: int) -> tuple[ModelRig, np.random.Generator]:
    rig = ModelRig(name, ring_log2=6)
    rng = np.random.default_rng(seed)
    rig.put(0, rng.integers(0, 256, 1 << 16, np.uint8))
    pad = rig.tile.scratchpad.data
    pad[:] = rng.integers(0, 256, pad.shape, np.uint8)
    return rig, rng


def random_load(rig: ModelRig, rng: np.random.Generator) -> dict[str, int]:
    """A LOAD that mostly stays inside."""

    def pick(*choices: int) -> int:
        return int(rng.choice(choices))

    flit = rig.config.flit_bytes
    row_bytes = pick(1, flit, 3 * flit, int(rng.integers(1, 5 * flit)), 300)
    local = -(-row_bytes // flit)
    fields = {
        "memory_address": int(rng.integers(20_000, 30_000)), "row_bytes": row_bytes,
        "memory_stride": pick(row_bytes, row_bytes + 3, 0), "rows": pick(1, 2, 5, 9),
        "local_row": int(rng.integers(0, 30)), "local_stride": pick(local, local + 1),
        "more_1": pick(0, 1, 3), "more_2": pick(0, 2), "more_3": pick(0, 1),
        "memory_stride_1": int(rng.integers(-900, 900)),
        "memory_stride_2": int(rng.integers(-900, 900)),
        "memory_stride_3": int(rng.integers(-900, 900)),
        "local_stride_1": int(rng.integers(0, 60)), "local_stride_2": int(rng.integers(0, 60)),
        "local_stride_3": int(rng.integers(0, 60)), "padded": pick(0, 1),
        "pad_y": int(rng.integers(-3, 3)), "pad_x": int(rng.integers(-3, 3)),
        "step_y": pick(1, 2), "step_x": pick(1, 2), "dilation_y": pick(1, 3),
        "dilation_x": pick(1, 3), "height": pick(1, 3, 6), "width": pick(1, 3, 6),
        "pad_value": int(rng.integers(0, 1 << 32)),
    }  # fmt: skip
    return fields


@pytest.mark.parametrize("name", ["nano", "micro"])
@pytest.mark.parametrize("seed", range(40))
def test_load(name: str, seed: int) -> None:
    rig, rng = rig_with_data(name, seed)
    fields = random_load(rig, rng)
    check(rig, Opcode.LOAD, fields)


@pytest.mark.parametrize("seed", range(40))
def test_requests_are_the_golden_accesses(seed: int) -> None:
    """Which bytes each request asks for, and which rows are filled instead."""
    rig, rng = rig_with_data("micro", seed)
    fields = random_load(rig, rng)
    want = [
        access
        for access in accesses(rig.config, Opcode.LOAD, fields, rig.tile.scratchpad.data)
        if isinstance(access, Access)
    ]
    walk = rig.tile.load.walk(decode(pack(Opcode.LOAD, **fields), 0))
    assert walk is not None
    got = [
        Access(0, request.size, request.row, request.value)
        if isinstance(request, Fill)
        else Access(request.address, request.length, request.row)
        for request in walk
    ]
    # the address of what is filled means nothing
    assert got == [a if a.value is None else a._replace(address=0) for a in want]


@pytest.mark.parametrize("seed", range(10))
def test_fill(seed: int) -> None:
    rig, rng = rig_with_data("micro", seed)
    columns = int(rng.choice([1, 2, 33, 70]))
    fields = {
        "row": int(rng.integers(0, 99)), "rows": int(rng.integers(1, 20)), "columns": columns,
        "stride": int(rng.integers(0, 2 * columns)), "value": int(rng.integers(0, 1 << 32)),
    }  # fmt: skip
    check(rig, Opcode.FILL, fields)


@pytest.mark.parametrize("name", ["nano", "micro"])
@pytest.mark.parametrize("seed", range(20))
def test_gather(name: str, seed: int) -> None:
    rig, rng = rig_with_data(name, seed)
    rows = int(rng.choice([1, 2, 9, 30]))
    limit = int(rng.choice([1, 20, 300]))
    row_bytes = int(rng.choice([1, 16, 30, 300]))
    indices = rng.integers(0, limit, rows, np.uint32)
    if seed % 4 == 3:
        indices[int(rng.integers(0, rows))] = rng.choice([limit, 2**32 - 1])
    pad = rig.tile.scratchpad.data
    index_row = 900 if seed % 5 else len(pad) - max(1, rows // 3)
    place = pad[index_row:].reshape(-1)
    place[: 4 * rows] = indices.view(np.uint8)[: len(place)]
    local = -(-row_bytes // rig.config.flit_bytes)
    fields = {
        "memory_address": int(rng.integers(0, 999)), "memory_stride": int(rng.integers(0, 90)),
        "row_bytes": row_bytes, "rows": rows, "local_row": 3, "index_row": index_row,
        "local_stride": min(local, 800 // rows), "limit": limit,
    }  # fmt: skip
    check(rig, Opcode.GATHER, fields)


def check(rig: ModelRig, opcode: Opcode, fields: dict[str, int]) -> None:
    pad = rig.tile.scratchpad.data
    want, status, address = run_transfer(
        rig.config, opcode, fields, lambda a, n: rig.memory[a : a + n], pad.copy()
    )
    command = pack(opcode, **fields)
    if status is Status.OK:
        rig.run(command)
    else:
        assert rig.fail(command)["STATUS"] == status.value
        assert rig.page(0)[12] == address & 0xFFFFFFFF
    np.testing.assert_array_equal(pad, want, err_msg=str(fields))


FAULTS = {
    "fill beyond": (Opcode.FILL, {"row": 4090, "rows": 2, "columns": 3, "stride": 5}),
    "fill begins beyond": (Opcode.FILL, {"row": 5000, "rows": 2, "columns": 3}),
    "empty fill": (Opcode.FILL, {"row": 0, "rows": 0, "columns": 3}),
    "no image": (Opcode.LOAD, {"rows": 2, "row_bytes": 9, "padded": 1, "width": 3}),
    "a loop leaves": (
        Opcode.LOAD,
        {"rows": 2, "row_bytes": 16, "local_stride": 1, "more_1": 3, "local_stride_1": 1500},
    ),
    "padding leaves": (
        Opcode.LOAD,
        {"rows": 2, "row_bytes": 16, "local_stride": 1, "more_1": 3, "local_stride_1": 1500,
         "padded": 1, "pad_y": 1, "height": 1, "width": 1},
    ),
    "beyond the address space": (
        Opcode.LOAD,
        {"rows": 2, "row_bytes": 16, "memory_address": (1 << 40) - 15, "more_2": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FAULTS))
def test_a_transfer_is_refused(case: str) -> None:
    rig, _ = rig_with_data("micro", 1)
    check(rig, *FAULTS[case])


def test_rows_outside_the_window_are_refused() -> None:
    rig, _ = rig_with_data("micro", 2)
    rig.write("WINDOW_0_LIMIT", 6)
    fields = {
        "memory_address": 0x5000, "row_bytes": 16, "memory_stride": 16, "rows": 4,
        "local_stride": 1, "more_1": 3, "memory_stride_1": 0x800, "local_stride_1": 10,
        "padded": 1, "height": 9, "width": 3, "step_x": 1, "step_y": 1,
    }  # fmt: skip
    assert MEMORY_BYTES > 0x7000
    pad = rig.tile.scratchpad.data
    want = pad.copy()
    assert rig.fail(pack(Opcode.LOAD, **fields))["STATUS"] == Status.WINDOW.value
    for repetition in range(2):
        rows = rig.memory[0x5000 + repetition * 0x800 :][:48].reshape(3, 16)
        want[repetition * 10 : repetition * 10 + 3] = rows
        want[repetition * 10 + 3] = 0
    np.testing.assert_array_equal(pad[:20], want[:20])


def test_addresses_of_padded_rows_wrap() -> None:
    """The first row of an image with a margin lies before it, at the end of the address space."""
    rig, _ = rig_with_data("micro", 3)
    fields = {
        "memory_address": (1 << 40) - 4 * 16, "row_bytes": 16, "memory_stride": 16, "rows": 8,
        "local_stride": 1, "padded": 1, "pad_x": -4, "step_x": 1, "height": 1, "width": 3,
    }  # fmt: skip
    check(rig, Opcode.LOAD, fields)


def test_a_fill_takes_a_cycle_a_row() -> None:
    rig, _ = rig_with_data("micro", 4)
    cycles = []
    for rows in (100, 1100):
        rig.run(pack(Opcode.FILL, rows=rows, columns=2, stride=2))
        begin, end = rig.events(Engine.LOAD, rig.tail - 2)
        cycles.append(end - begin)
    assert cycles[1] - cycles[0] == 2000
    assert rig.counter(2, 1) == 0, "nothing is loaded"


@pytest.mark.parametrize("name", ["nano", "quad"])
@pytest.mark.parametrize("stall_probability", [0.0, 0.01])
def test_a_fill_behind_a_load_takes_turns_with_its_response(
    name: str, stall_probability: float
) -> None:
    """The response is asked for before the fill begins, and comes while it runs."""
    rows, ends = 30, []
    for filled in (1, 1000):
        rig = ModelRig(name, latency_cycles=100, stall_probability=stall_probability)
        rig.run(
            pack(Opcode.LOAD, rows=1, row_bytes=rows * rig.config.flit_bytes),
            pack(Opcode.FILL, rows=1, columns=filled, row=1000),
        )
        ends.append(rig.events(Engine.LOAD, 0)[1])
    assert rows - 1 <= ends[1] - ends[0] <= rows


@pytest.mark.parametrize("transpose", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_transpose(transpose: int, seed: int) -> None:
    rig, rng = rig_with_data("micro", seed)
    size = 1 << (transpose - 1)
    rows, columns = int(rng.choice([1, 5, 16, 40])), int(rng.choice([1, 7, 64, 150]))
    fields = {
        "memory_address": int(rng.integers(0, 999)), "memory_stride": columns * size + 5,
        "row_bytes": columns * size, "rows": rows, "local_row": 3, "local_stride": 11,
        "transpose": transpose,
    }  # fmt: skip
    check(rig, Opcode.LOAD, fields)


ILLEGAL_TRANSPOSE = {
    "not built in": ("nano", {}),
    "half an element": ("micro", {"row_bytes": 9}),
    "loops": ("micro", {"more_2": 1}),
    "padding": ("micro", {"padded": 1, "height": 1, "width": 1}),
    "beyond the scratchpad": ("micro", {"local_row": 4090}),
    "beyond the address space": ("micro", {"memory_address": (1 << 40) - 20}),
}


@pytest.mark.parametrize("case", list(ILLEGAL_TRANSPOSE))
def test_a_transposition_is_refused(case: str) -> None:
    name, fields = ILLEGAL_TRANSPOSE[case]
    rig, _ = rig_with_data(name, 1)
    plain = {"row_bytes": 16, "rows": 4, "memory_stride": 16, "local_stride": 1, "transpose": 2}
    check(rig, Opcode.LOAD, {**plain, **fields})


def test_a_strip_that_is_refused_leaves_nothing() -> None:
    rig, _ = rig_with_data("micro", 2)
    rig.write("WINDOW_0_LIMIT", 6)
    pad = rig.tile.scratchpad.data
    want = pad.copy()
    # 8 rows of bf16 a strip; the second strip's last row is outside
    fields = {"memory_address": 0x6000 - 15 * 32, "memory_stride": 32, "row_bytes": 32, "rows": 16}
    command = pack(Opcode.LOAD, **fields, local_stride=2, transpose=2)
    assert rig.fail(command)["STATUS"] == Status.WINDOW.value
    source = rig.memory[fields["memory_address"] :][: 8 * 32].view(np.uint16).reshape(8, 16)
    want[0:32:2] = np.ascontiguousarray(source.T).view(np.uint8)
    np.testing.assert_array_equal(pad, want)
