"""A model of all tiles of a chip, at the control node's port to the mesh."""

from collections import defaultdict, deque

from weft_hw.config import COMMAND_BYTES
from weft_hw.isa import Engine, Status
from weft_hw.noc.packet import (
    Flit,
    RequestHeader,
    RequestKind,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from weft_hw.noc.sender import header_flits
from weft_sim.bench import StreamSink, StreamSource, pack, unpack
from weft_sim.bench.pauses import random_pauses

__all__ = ["CONTROL", "Tiles"]

CONTROL = {"x": 0, "y": 0, "port": RouterPort.NORTH}


class Tiles:
    """All tiles: takes COMMAND and READ packets from the control node, answers them after a while.

    Commands of an engine end in order, ``delay()`` cycles after they came to its front. Under abort
    all end at once with ABORTED. Checks that no engine is given more than it can hold.
    """

    def __init__(self, bench, config, stall):
        self.bench = bench
        self.config = config
        self.flit_bytes = config.flit_bytes
        self._request = RequestHeader(address_bits=config.host.address_bits)
        self._flit = Flit(flit_bytes=config.flit_bytes)
        self.sink = StreamSink(bench, "mesh__request_o", pause=random_pauses(bench.rng, stall))
        self.source = StreamSource(bench, "mesh__response_i", pause=random_pauses(bench.rng, stall))
        self.delay = lambda: 5
        self.fail: dict[int, Status] = {}
        """Index of a command -> the status with which it ends."""
        self.silent = False
        """Nothing is answered as long as this is set."""
        bench.add(self)

    def reset(self):
        self.commands: list[tuple] = []
        """(index, x, y, engine, bytes) of the commands that came, in order."""
        self.arrived_at: list[int] = []
        self.probes: list[dict] = []
        self.ended: list[int] = []
        self.aborts = self.clears = 0
        self._queues = defaultdict(deque)
        self._parsed = 0
        self._outstanding = 0
        self.most_outstanding = 0

    def describe(self):
        return f"tiles: {len(self.commands)} commands, {len(self.ended)} ended"

    def step(self):
        self._take()
        aborting = bool(self.bench.dut.abort.value)
        self.aborts += aborting
        self.clears += int(self.bench.dut.clear.value)
        if self.silent:
            return
        for place, queue in self._queues.items():
            while queue and (aborting or queue[0][1] <= self.bench.cycle):
                index = queue.popleft()[0]
                status = self.fail.get(index, Status.OK)
                if aborting and status is Status.OK:
                    status = Status.ABORTED
                self._end(index, place, status)
                if queue and not aborting:
                    queue[0][1] = self.bench.cycle + self.delay()

    def _end(self, index, place, status):
        x, y, engine = place
        self.ended.append(index)
        self._outstanding -= 1
        fields = {
            "destination": CONTROL,
            "source": {"x": x, "y": y, "port": RouterPort.LOCAL},
            "kind": ResponseKind.COMPLETION,
            "status": status,
            "engine": engine,
            "tag": index,
        }
        self._send(fields)

    def answer(self, probe, payload):
        """Answers a READ with 64 bytes."""
        fields = {
            "destination": CONTROL,
            "source": probe["destination"],
            "kind": ResponseKind.READ_DATA,
            "tag": probe["tag"],
        }
        self._send(fields, payload)

    def _send(self, fields, payload=b""):
        width = 8 * self.flit_bytes
        count = header_flits(ResponseHeader, self.flit_bytes)
        bits = pack(ResponseHeader, fields)
        words = [bits >> i * width & (1 << width) - 1 for i in range(count)]
        words += [
            int.from_bytes(payload[i : i + self.flit_bytes], "little")
            for i in range(0, len(payload), self.flit_bytes)
        ]
        for number, word in enumerate(words):
            self.source.send(pack(self._flit, {"data": word, "last": number == len(words) - 1}))

    def _take(self):
        width = 8 * self.flit_bytes
        raw = self.sink.raw
        if not raw[self._parsed :] or not raw[-1] >> width:
            return
        words = [flit & ((1 << width) - 1) for flit in raw[self._parsed :]]
        self._parsed = len(raw)
        headers = header_flits(self._request, self.flit_bytes)
        bits = sum(word << i * width for i, word in enumerate(words[:headers]))
        header = unpack(self._request, bits & ((1 << self._request.size) - 1))
        payload = b"".join(word.to_bytes(self.flit_bytes, "little") for word in words[headers:])
        assert header["source"] == CONTROL
        assert header["destination"]["port"] is RouterPort.LOCAL
        if header["kind"] is RequestKind.READ:
            self.probes.append(header)
            return
        assert header["kind"] is RequestKind.COMMAND
        assert header["length"] == COMMAND_BYTES
        assert not any(payload[COMMAND_BYTES:])
        x, y = header["destination"]["x"], header["destination"]["y"]
        engine = Engine(header["tag"])
        queue = self._queues[x, y, engine]
        queue.append([header["address"], self.bench.cycle + self.delay()])
        assert len(queue) <= self.config.tile.command_queue_depth, "no queue may overflow"
        self._outstanding += 1
        self.most_outstanding = max(self.most_outstanding, self._outstanding)
        assert self._outstanding <= self.config.host.max_in_flight
        self.commands.append((header["address"], x, y, engine, payload[:COMMAND_BYTES]))
        self.arrived_at.append(self.bench.cycle)
