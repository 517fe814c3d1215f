"""Tensor commands on the load engine: what they must do, and what an abort leaves of them."""

from collections.abc import Callable
from itertools import islice

import numpy as np
from dma_cases import check_cut_short
from harness_dma import check_ends
from harness_dma_load import Setup
from harness_dma_memory import Responder
from tensor_commands import (
    INDEX_LIMIT,
    INDEX_ROWS,
    TensorCommand,
    random_fill,
    random_gather,
    random_im2col,
    random_loops,
    random_transpose,
)
from weft_hw.config import ChipConfig
from weft_hw.isa import Status
from weft_sim.golden.transfers import Access, Fault, accesses, run_transfer


def place_indices(setup: Setup) -> None:
    """Fills the rows of indices, before a test begins."""
    rows = setup.before[-INDEX_ROWS:]
    rows.view("<u4")[:] = setup.bench.rng.integers(0, INDEX_LIMIT, (INDEX_ROWS, rows.shape[1] // 4))


MAKERS: list[Callable[[np.random.Generator, ChipConfig, int], TensorCommand]] = [
    random_im2col,
    random_loops,
    random_fill,
    random_gather,
    random_transpose,
]


def rows_written(config: ChipConfig, command: TensorCommand, image: np.ndarray) -> list[int]:
    """Scratchpad rows that a command writes, in the order of its accesses."""
    if command.fields.get("transpose"):
        field = command.fields
        size = 1 << (field["transpose"] - 1)
        blocks = -(-field["rows"] * size // config.flit_bytes)
        return [
            field["local_row"] + column * field["local_stride"] + i
            for column in range(field["row_bytes"] // size)
            for i in range(blocks)
        ]
    return [
        item.row + i
        for item in accesses(config, command.opcode, command.fields, image)
        if isinstance(item, Access)
        for i in range(-(-item.length // config.flit_bytes))
    ]


def random_tensors(setup: Setup, count: int, limit_rows: int) -> list[TensorCommand]:
    """Commands that write disjoint rows, each row once, and none with indices."""
    batch: list[TensorCommand] = []
    rng, config, image, row = setup.bench.rng, setup.config, setup.before, 0
    while len(batch) < count:
        make = MAKERS[int(rng.integers(len(MAKERS)))]
        command = make(rng, config, row)
        items = list(islice(accesses(config, command.opcode, command.fields, image), limit_rows))
        if len(items) == limit_rows or any(isinstance(item, Fault) for item in items):
            continue
        written = rows_written(config, command, image)
        if len(set(written)) != len(written) or max(written) >= row + limit_rows:
            continue
        row = max(written) + 1 + int(rng.integers(3))
        command.index, command.signal = int(rng.integers(1 << 32)), int(rng.integers(1 << 16))
        batch.append(command)
    assert row <= config.tile.scratchpad_rows - INDEX_ROWS
    return batch


def golden(
    setup: Setup, commands: list[TensorCommand], image: np.ndarray
) -> tuple[np.ndarray, list[tuple[Status, int | None]]]:
    """The scratchpad that ``commands`` leave, and how each ends."""
    ends: list[tuple[Status, int | None]] = []
    for command in commands:

        def read(address: int, length: int, endpoint: int = command.endpoint) -> np.ndarray:
            return setup.content.bytes_at(endpoint, address + np.arange(length))

        image, status, address = run_transfer(
            setup.config, command.opcode, command.fields, read, image
        )
        ends.append((status, None if status is Status.OK else address))
    return image, ends


def check_tensor_requests(
    config: ChipConfig, memory: Responder, commands: list[TensorCommand], image: np.ndarray
) -> int:
    """Exactly the requests of ``commands``, in order, have reached the memory; their bytes."""
    want = [
        (item.address, item.length, command.endpoint)
        for command in commands
        for item in accesses(config, command.opcode, command.fields, image)
        if isinstance(item, Access) and item.value is None
    ]
    got = [(r.header["address"], r.header["length"], r.endpoint) for r in memory.requests]
    assert got == want
    return sum(length for _, length, _ in want)


async def compare(setup: Setup, commands: list[TensorCommand]) -> None:
    """Runs commands and compares ends, requests, bytes and scratchpad with the goldens."""
    start = setup.scratchpad()
    asked, counted = len(setup.memory.requests), setup.counted_bytes
    ended = len(setup.done.raw)
    await setup.run(commands)
    want, ends = golden(setup, commands, start)
    setup.done.raw[:ended] = []
    check_ends(setup.done, commands, ends)
    setup.memory.requests[:asked] = []
    size = check_tensor_requests(setup.config, setup.memory, commands, start)
    np.testing.assert_array_equal(setup.scratchpad(), want)
    assert setup.counted_bytes - counted == size


async def check_faults(
    setup: Setup, bad: list[tuple[TensorCommand, Status | None]], good: list[TensorCommand]
) -> None:
    """Each of ``bad`` ends with its status, None: any error; those of ``good`` behind it well."""
    for command, status in bad:
        await compare(setup, [command, *good])
        first, *rest = (end["status"] for end in setup.done.items[-1 - len(good) :])
        assert first is not Status.OK, command
        assert status is None or first is status, command
        assert rest == [Status.OK] * len(good), command


async def abort_after(setup: Setup, commands: list[TensorCommand], delay: int, idle: int) -> None:
    """Commands aborted after ``delay`` cycles: all end, then nothing is written for ``idle``."""
    abort, ended = setup.bench.port("engine__abort"), len(setup.done.raw)
    setup.commands.send(*[command.bits() for command in commands])
    await setup.bench.cycles(delay)
    abort.value = 1
    await setup.done.take(ended + len(commands), cycles=2000)
    await setup.bench.cycles(4)
    assert not setup.bench.port("busy").value
    assert not setup.memory.in_flight
    written = len(setup.writes.raw)
    await setup.bench.cycles(idle)
    assert len(setup.writes.raw) == written
    check_cut_short(setup.done.items[ended:])
    abort.value = 0
