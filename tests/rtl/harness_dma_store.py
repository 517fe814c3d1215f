"""Around the store engine: a front end, a scratchpad and a memory in Python."""

import numpy as np
from harness_dma import rows_of
from harness_dma_memory import Responder, drive_node, response_source
from local_ports import ReadMemory
from weft_hw.isa import CommandWord, Opcode
from weft_hw.noc.packet import DataFlit, Headed, RequestHeader, RequestKind
from weft_hw.presets import preset
from weft_hw.tile.engine import Done
from weft_sim.bench import Bench, StreamSink, StreamSource, unpack
from weft_sim.bench.clocking import read
from weft_sim.bench.pauses import random_pauses


class Setup:
    """The engine between a front end, a scratchpad and a memory. ``stall`` is the probability of a
    pause on every stream; ``refuse`` pauses the reads, ``hold_requests`` the headers.
    """

    def __init__(self, dut, stall=0.0, latency=(20, 20), refuse=None, hold_requests=None):
        self.bench = bench = Bench(dut)
        self.config = config = preset(bench.parameters["preset"])
        bits, flit = config.host.address_bits, config.flit_bytes

        def pause():
            return random_pauses(bench.rng, stall)

        self.commands = StreamSource(bench, "engine__command", CommandWord, pause=pause())
        self.done = StreamSink(bench, "engine__done", Done(address_bits=bits), pause=pause())
        header = Headed(RequestHeader(address_bits=bits))
        self.requests = StreamSink(bench, "request", header, pause=hold_requests or pause())
        self.data = StreamSink(bench, "request_data", DataFlit(flit_bytes=flit), pause=pause())
        shape = config.tile.scratchpad_rows, flit
        image = bench.rng.integers(0, 256, shape, dtype=np.uint8)
        self.scratchpad = ReadMemory(bench, "read", image, pause=refuse or pause())
        self.headers = response_source(bench, pause())
        self.memory = Responder(
            bench,
            config,
            RequestKind.WRITE,
            config.tile.store_requests,
            self.headers,
            lambda: int(bench.rng.integers(latency[0], latency[1] + 1)),
        )
        bench.add(self)

    async def start(self):
        """Resets and tells the engine where it is."""
        await self.bench.reset()
        drive_node(self.bench)

    def reset(self):
        self.counted_bytes = 0
        self.handed = 0
        self.used = 0
        self.open = None
        self.packet = b""
        self.written = {}

    def step(self):
        """Receives packets as the network would: a header, then its data."""
        self.counted_bytes += read(self.bench.port("bytes"))
        for bits in self.data.raw[self.used :]:
            assert self.open is not None, "data must follow a header"
            flit = unpack(self.data.shape, bits)
            self.packet += flit["data"].to_bytes(self.config.flit_bytes, "little")
            length = self.open.header["length"]
            assert flit["last"] == (len(self.packet) >= length)
            if flit["last"]:
                assert not any(self.packet[length:]), "bytes after the last must be zero"
                self.write(self.open, self.packet[:length])
                self.memory.schedule(self.open)
                self.open = None
        self.used = len(self.data.raw)
        for bits in self.requests.raw[self.handed :]:
            assert self.open is None, "a header must follow the last flit of the packet before"
            item = unpack(self.requests.shape, bits)
            assert item["has_data"]
            self.open, self.packet = self.memory.accept(item["header"]), b""
        self.handed = len(self.requests.raw)

    def write(self, request, payload):
        """The memory takes a packet; no byte may be written twice here."""
        address = request.header["address"]
        for i, byte in enumerate(payload):
            assert (request.endpoint, address + i) not in self.written
            self.written[request.endpoint, address + i] = byte

    def describe(self):
        return f"{len(self.written)} bytes written, packet open: {self.open}"

    async def run(self, commands, cycles=60_000):
        """Sends commands and waits for all their ends."""
        ended = len(self.done.raw)
        self.commands.send(*[command.bits(Opcode.STORE) for command in commands])
        await self.done.take(ended + len(commands), cycles=cycles)
        await self.bench.cycles(2)
        assert not self.bench.port("busy").value
        assert not self.memory.in_flight
        assert self.open is None

    def golden(self, commands):
        """(endpoint, address) -> byte, as legal ``commands`` write them."""
        want = {}
        for command in commands:
            for addresses, row in rows_of(command):
                line = self.scratchpad.rows[row:].reshape(-1)[: len(addresses)]
                keys = ((command.endpoint, address) for address in addresses.tolist())
                want.update(zip(keys, line.tolist(), strict=True))
        return want
