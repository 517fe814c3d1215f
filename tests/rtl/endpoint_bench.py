"""A memory endpoint on the bench: sends request packets, takes response packets."""

from amaranth.lib import data
from axi_memory import PipelinedMemory, model_memory
from weft_hw.endpoint.window import Window
from weft_hw.isa import Status
from weft_hw.noc.packet import (
    Flit,
    RequestHeader,
    RequestKind,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from weft_hw.noc.sender import header_flits
from weft_hw.presets import preset
from weft_sim.bench import Bench, StreamSink, StreamSource, pack, unpack
from weft_sim.bench.pauses import random_pauses

__all__ = ["MEMORY_BYTES", "REQUESTER", "EndpointBench"]

MEMORY_BYTES = 1 << 16
#: Who asks.
REQUESTER = {"x": 1, "y": 2, "port": RouterPort.LOCAL}
#: The row of the endpoint under test.
ROW = 3


class EndpointBench:
    """The endpoint of ``parameters["preset"]`` between packet agents and a memory.

    ``latency`` asks for the memory without bubbles, otherwise it is cocotbext-axi's.
    """

    def __init__(self, dut, *, stall=0.0, memory_stall=0.0, latency=None):
        self.bench = bench = Bench(dut)
        self.config = config = preset(bench.parameters["preset"])
        self.flit_bytes = config.flit_bytes
        self.rng = bench.rng
        self._header = RequestHeader(address_bits=config.host.address_bits)
        self._flit = Flit(flit_bytes=config.flit_bytes)
        self.source = StreamSource(bench, "mesh__request_i", pause=random_pauses(bench.rng, stall))
        self.sink = StreamSink(bench, "mesh__response_o", pause=random_pauses(bench.rng, stall))
        if latency is None:
            self.memory = model_memory(bench, "memory", MEMORY_BYTES, stall=memory_stall)
        else:
            self.memory = PipelinedMemory(bench, "memory", MEMORY_BYTES, latency=latency)
        self.memory.data[:] = bench.rng.bytes(MEMORY_BYTES)
        self._parsed = 0
        self._taken = []

    async def reset(self, windows=((0, MEMORY_BYTES // 4096, 1, 1),)):
        await self.bench.reset()
        self.bench.port("y").value = ROW
        self.set_windows(windows)

    def set_windows(self, windows):
        """``windows``: (first page, first page beyond, read, write) of each."""
        fields = [dict(zip(("base", "limit", "read", "write"), w, strict=True)) for w in windows]
        fields += [{}] * (self.config.host.windows - len(fields))
        layout = data.ArrayLayout(Window, self.config.host.windows)
        self.bench.port("windows").value = pack(layout, fields)

    def _send(self, fields, payload=b""):
        width = 8 * self.flit_bytes
        bits = pack(self._header, {"source": REQUESTER, **fields})
        flits = [bits >> i * width for i in range(header_flits(self._header, self.flit_bytes))]
        flits += [
            int.from_bytes(payload[i : i + self.flit_bytes], "little")
            for i in range(0, len(payload), self.flit_bytes)
        ]
        for number, flit in enumerate(flits):
            word = {"data": flit & ((1 << width) - 1), "last": number == len(flits) - 1}
            self.source.send(pack(self._flit, word))

    def read(self, address, length, tag=0):
        self._send({"kind": RequestKind.READ, "tag": tag, "length": length, "address": address})

    def write(self, address, payload, tag=0, length=None):
        length = len(payload) if length is None else length
        self._send(
            {"kind": RequestKind.WRITE, "tag": tag, "length": length, "address": address}, payload
        )

    async def responses(self, count, cycles=200_000):
        """The next ``count`` responses: (kind, tag, status, data flits as bytes)."""
        await self.bench.until(
            lambda: self._parse() >= count, cycles=cycles, what=f"{count} responses"
        )
        taken, self._taken = self._taken[:count], self._taken[count:]
        return taken

    def _parse(self):
        width = 8 * self.flit_bytes
        headers = header_flits(ResponseHeader, self.flit_bytes)
        raw = self.sink.raw
        start = self._parsed
        for end in range(start, len(raw)):
            if not raw[end] >> width:
                continue
            words = [flit & ((1 << width) - 1) for flit in raw[start : end + 1]]
            bits = sum(word << i * width for i, word in enumerate(words[:headers]))
            size = ResponseHeader.as_shape().size
            header = unpack(ResponseHeader, bits & ((1 << size) - 1))
            assert header["destination"] == REQUESTER
            assert header["source"] == {"x": 0, "y": ROW, "port": RouterPort.WEST}
            payload = b"".join(word.to_bytes(self.flit_bytes, "little") for word in words[headers:])
            self._taken.append((header["kind"], header["tag"], header["status"], payload))
            start = end + 1
        self._parsed = start
        return len(self._taken)

    def expected_read(self, tag, address, length):
        """The response of a good read of what the memory holds now."""
        payload = bytes(self.memory.data[address : address + length])
        payload += bytes(-length % self.flit_bytes)
        return (ResponseKind.READ_DATA, tag, Status.OK, payload)
