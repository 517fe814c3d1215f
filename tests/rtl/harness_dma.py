"""What the benches of the DMA engines share: commands, and what they must do.

The golden works on packets and on whole memory rows: ``accesses`` says which requests a command
makes, ``rows_of`` what bytes go where, each from the instruction set's text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from harness_dma_memory import Responder
from weft_hw.config import ChipConfig
from weft_hw.isa import LoadCommand, Opcode, Status
from weft_sim.bench import StreamSink, pack


@dataclass
class Command:
    """A LOAD or STORE; ``signal`` and ``index`` come back in its end."""

    memory_address: int = 0
    memory_stride: int = 0
    row_bytes: int = 1
    rows: int = 1
    local_row: int = 0
    local_stride: int = 0
    endpoint: int = 0
    index: int = 0
    signal: int = 0

    def bits(self, opcode: Opcode = Opcode.LOAD) -> dict[str, Any]:
        """As the front end hands it over (a ``CommandWord``); bits beyond its fields are set."""
        names = (
            "memory_address memory_stride row_bytes rows local_row local_stride endpoint".split()
        )
        values = {name: getattr(self, name) for name in names}
        values["header"] = {"opcode": opcode, "tile_x": 5, "wait": 0xFFFF, "signal": self.signal}
        size = LoadCommand.as_shape().size
        word = pack(LoadCommand, values) | ((1 << 512) - (1 << size))
        return {"bits": word, "index": self.index}


@dataclass(frozen=True)
class Access:
    """One request: ``length`` bytes at ``address``, scratchpad rows from ``row`` on."""

    address: int
    length: int
    row: int


@dataclass(frozen=True)
class Fault:
    """Why a command's requests end early."""

    status: Status
    address: int | None


def accesses(config: ChipConfig, command: Command) -> Iterator[Access | Fault]:
    """The requests of ``command`` in order; a ``Fault`` is the last item if there is one."""
    flit, packet = config.flit_bytes, config.mesh.max_packet_bytes
    c = command
    if not c.rows or not c.row_bytes or c.endpoint >= config.mesh.memory_endpoints:
        yield Fault(Status.ILLEGAL_FIELD, 0)
        return
    rows, row_bytes = c.rows, c.row_bytes
    if (c.memory_stride, c.local_stride * flit) == (row_bytes, row_bytes):
        rows, row_bytes = 1, rows * row_bytes
    space = 1 << config.host.address_bits
    for i in range(rows):
        for offset in range(0, row_bytes, packet):
            length = min(packet, row_bytes - offset)
            address = c.memory_address + i * c.memory_stride + offset
            row = c.local_row + i * c.local_stride + offset // flit
            if row + -(-length // flit) > config.tile.scratchpad_rows:
                yield Fault(Status.LOCAL_RANGE, max(row, config.tile.scratchpad_rows))
                return
            if address + length > space:
                yield Fault(Status.WINDOW, space - 1)
                return
            yield Access(address, length, row)


def rows_of(command: Command) -> Iterator[tuple[np.ndarray, int]]:
    """Byte addresses (int64) of each memory row, and the scratchpad row where it begins."""
    for i in range(command.rows):
        start = command.memory_address + i * command.memory_stride
        yield start + np.arange(command.row_bytes), command.local_row + i * command.local_stride


def random_command(rng: np.random.Generator, config: ChipConfig, local_row: int) -> Command:
    """A legal command whose rows begin at ``local_row``: sizes around flit and packet, any
    alignment, linear or not.
    """
    flit, packet = config.flit_bytes, config.mesh.max_packet_bytes
    sizes = [1, flit - 1, flit, flit + 1, packet - 1, packet, packet + 1, 2 * packet + 3]
    choice = rng.random()
    if choice < 0.5:
        row_bytes = int(rng.integers(1, 6 * flit))
    elif choice < 0.9:
        row_bytes = int(rng.choice(sizes))
    else:
        row_bytes = int(rng.integers(1, 3 * packet))
    rows = int(rng.integers(1, 2 + 40 * flit // row_bytes)) if row_bytes < 40 * flit else 1
    flits = -(-row_bytes // flit)
    stride = row_bytes + int(rng.choice([0, 1, flit, int(rng.integers(1 << 20))]))
    local_stride = flits + int(rng.choice([0, 0, 1, 5]))
    if rng.random() < 0.3:
        row_bytes = flits * flit
        stride, local_stride = row_bytes, flits
    address = int(rng.integers((1 << config.host.address_bits) - (1 << 28)))
    if rng.random() < 0.2:
        address &= -packet
    return Command(
        memory_address=address,
        memory_stride=stride,
        row_bytes=row_bytes,
        rows=rows,
        local_row=local_row,
        local_stride=local_stride,
        endpoint=int(rng.integers(config.mesh.memory_endpoints)),
        index=int(rng.integers(1 << 32)),
        signal=int(rng.integers(1 << 16)),
    )


def span(config: ChipConfig, command: Command) -> int:
    """Scratchpad rows from a command's first to its last."""
    return (command.rows - 1) * command.local_stride + -(-command.row_bytes // config.flit_bytes)


def random_batch(
    rng: np.random.Generator, config: ChipConfig, count: int, limit_rows: int
) -> list[Command]:
    """Legal commands that touch disjoint scratchpad rows, the last ending at the memory's end."""
    batch: list[Command] = []
    row = 0
    while len(batch) < count:
        command = random_command(rng, config, row)
        if span(config, command) > limit_rows:
            continue
        row += span(config, command) + int(rng.integers(3))
        batch.append(command)
    batch[-1].local_row = config.tile.scratchpad_rows - span(config, batch[-1])
    assert row < config.tile.scratchpad_rows - limit_rows
    return batch


def check_ends(
    sink: StreamSink, commands: list[Command], want: list[tuple[Status, int | None]] | None = None
) -> None:
    """The ends that came are those of ``commands``, in order; all OK unless ``want`` says else."""
    got = sink.items
    assert len(got) == len(commands)
    for i, (end, command) in enumerate(zip(got, commands, strict=True)):
        status, address = want[i] if want else (Status.OK, None)
        assert (end["index"], end["signal"]) == (command.index, command.signal), f"command {i}"
        assert end["status"] is status, f"command {i} ended {end}, not {status}"
        assert address is None or end["address"] == address, f"command {i} ended {end}"


def ends_of(config: ChipConfig, commands: list[Command]) -> list[tuple[Status, int | None]]:
    """How ``commands`` end if the memory does not fail; none may have more than 100 requests."""
    ends: list[tuple[Status, int | None]] = []
    for command in commands:
        *_, last = islice(accesses(config, command), 100)
        ends.append((last.status, last.address) if isinstance(last, Fault) else (Status.OK, None))
    return ends


def check_requests(config: ChipConfig, memory: Responder, commands: list[Command]) -> None:
    """Exactly the requests of ``commands``, in order, have reached the memory."""
    want = [
        (item.address, item.length, command.endpoint)
        for command in commands
        for item in accesses(config, command)
        if isinstance(item, Access)
    ]
    got = [(r.header["address"], r.header["length"], r.endpoint) for r in memory.requests]
    assert got == want
