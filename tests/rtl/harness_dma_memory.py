"""A memory that answers the requests of a DMA engine."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Status
from weft_hw.noc.packet import (
    Headed,
    NodeAddress,
    RequestKind,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from weft_sim.bench import Bench, StreamSource, pack

NODE = {"x": 3, "y": 2, "port": RouterPort.LOCAL}


class Content:
    """What memory holds where nobody wrote: noise that differs between addresses and endpoints."""

    def __init__(self, rng: np.random.Generator):
        self.noise = rng.integers(0, 256, 65521, dtype=np.uint8)

    def bytes_at(self, endpoint: int, addresses: np.ndarray) -> np.ndarray:
        """(n,) uint8 at (n,) addresses."""
        return self.noise[(addresses + 7919 * endpoint) % 65521]


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
