"""What the benches of the DMA engines share: commands, what they must do, and a memory that answers
requests.

The golden works on whole memory rows, and on packets: `accesses` says which requests a command
makes, `rows_of` what bytes go where, each from the instruction set's text.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import LoadCommand, Opcode, Status
from weft_hw.noc.packet import (
    Headed,
    NodeAddress,
    RequestKind,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from weft_sim.bench import Bench, StreamSink, StreamSource, pack

NODE = {"x": 3, "y": 2, "port": RouterPort.LOCAL}


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


def rows_of(config: ChipConfig, command: Command) -> Iterator[tuple[np.ndarray, int]]:
    """Byte addresses (int64) of each memory row, and the scratchpad row where it begins."""
    for i in range(command.rows):
        start = command.memory_address + i * command.memory_stride
        yield start + np.arange(command.row_bytes), command.local_row + i * command.local_stride


class Content:
    """What memory holds where nobody wrote: noise that differs between addresses and endpoints."""

    def __init__(self, rng: np.random.Generator):
        self.noise = rng.integers(0, 256, 65521, dtype=np.uint8)

    def bytes_at(self, endpoint: int, addresses: np.ndarray) -> np.ndarray:
        """(n,) uint8 at (n,) addresses."""
        return self.noise[(addresses + 7919 * endpoint) % 65521]


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


@dataclass
class Request:
    """A request on its way to its answer."""

    header: dict[str, Any]
    endpoint: int
    due: int
    payload: np.ndarray | None = None


@dataclass
class Responder:
    """Checks request headers and answers them: in order for each endpoint, endpoints in any order.

    ``answer(request)`` gives the status. READs are answered with data where it is OK.
    """

    bench: Bench
    config: ChipConfig
    kind: RequestKind
    tags: int
    headers: StreamSource
    latency: Callable[[], int]
    answer: Callable[[Request], Status] = lambda request: Status.OK
    content: Content | None = None
    data: StreamSource | None = None
    data_shape: Any = None
    requests: list[Request] = field(default_factory=list)
    held: bool = False

    def __post_init__(self) -> None:
        self.bench.add(self)
        self.queues = [deque[Request]() for _ in range(self.config.mesh.memory_endpoints)]
        self.in_flight: set[int] = set()
        self.sent: deque[int] = deque()
        self.most_in_flight = 0

    def reset(self) -> None:
        self.requests.clear()
        self.in_flight.clear()
        self.sent.clear()
        for queue in self.queues:
            queue.clear()

    def accept(self, header: dict[str, Any]) -> Request:
        """Takes a request header; the answer is on its way unless it is a WRITE."""
        destination = header["destination"]
        assert header["kind"] is self.kind
        assert header["source"] == NODE
        assert (destination["x"], destination["port"]) == (0, RouterPort.WEST)
        assert 1 <= header["length"] <= self.config.mesh.max_packet_bytes
        assert header["tag"] < self.tags
        assert header["tag"] not in self.in_flight, "a tag must be free to be used again"
        self.in_flight.add(header["tag"])
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        request = Request(header, destination["y"], 0)
        self.requests.append(request)
        return request

    def schedule(self, request: Request) -> None:
        """Lets the memory answer ``request`` after its latency."""
        request.due = self.bench.cycle + self.latency()
        self.queues[request.endpoint].append(request)

    def step(self) -> None:
        while len(self.sent) > self.headers.pending:
            # the design took the header: its tag may be used again once its data is written
            self.in_flight.discard(self.sent.popleft())
        ready = [q for q in self.queues if q and q[0].due <= self.bench.cycle]
        if not ready or self.held or self.headers.pending > 1:
            return
        request = ready[int(self.bench.rng.integers(len(ready)))].popleft()
        status = self.answer(request)
        has_data = self.kind is RequestKind.READ and status is Status.OK
        kind = ResponseKind.READ_DATA if self.kind is RequestKind.READ else ResponseKind.WRITE_ACK
        header = {
            "destination": NODE,
            "source": {"x": 0, "y": request.endpoint, "port": RouterPort.WEST},
            "kind": kind,
            "status": status,
            "tag": request.header["tag"],
        }
        self.headers.send({"header": header, "has_data": has_data})
        self.sent.append(request.header["tag"])
        if has_data:
            self._send_data(request)

    def _send_data(self, request: Request) -> None:
        flit, length = self.config.flit_bytes, request.header["length"]
        flits = -(-length // flit)
        padded = np.zeros(flits * flit, dtype=np.uint8)
        where = request.header["address"] + np.arange(length)
        padded[:length] = self.content.bytes_at(request.endpoint, where)
        for i in range(flits):
            word = padded[i * flit : (i + 1) * flit].tobytes()
            self.data.send({"data": word, "last": i == flits - 1})

    def describe(self) -> str:
        return f"memory: {len(self.requests)} requests, tags in flight {sorted(self.in_flight)}"


def response_source(bench: Bench, pause: Iterator[bool] | None = None) -> StreamSource:
    """Where responses enter an engine."""
    return StreamSource(bench, "response_header", Headed(ResponseHeader), pause=pause)


def drive_node(bench: Bench) -> None:
    """Tells the engine its address."""
    bench.port("node").value = pack(NodeAddress, NODE)


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
