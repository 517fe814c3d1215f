"""Around the load engine: a front end, a memory and a scratchpad in Python."""

import numpy as np
from harness_dma import rows_of
from harness_dma_memory import Content, Responder, drive_node, response_source
from local_ports import ReadMemory
from weft_hw.isa import CommandWord, Opcode
from weft_hw.memory.port import WriteBeat
from weft_hw.noc.packet import DataFlit, RequestHeader, RequestKind
from weft_hw.presets import preset
from weft_hw.tile.engine import Done
from weft_sim.bench import Bench, StreamSink, StreamSource, unpack
from weft_sim.bench.clocking import read
from weft_sim.bench.pauses import random_pauses


class Setup:
    """The engine between a front end, a memory and a scratchpad. ``stall`` is the probability of a
    pause on every stream.
    """

    def __init__(self, dut, stall=0.0, latency=(20, 20)):
        self.bench = bench = Bench(dut)
        config = preset(bench.parameters["preset"])
        if bench.parameters.get("transpose"):
            config = config.replace_tile(transpose=True)
        self.config = config
        bits, flit = config.host.address_bits, config.flit_bytes

        def pause():
            return random_pauses(bench.rng, stall)

        self.commands = StreamSource(bench, "engine__command", CommandWord, pause=pause())
        self.done = StreamSink(bench, "engine__done", Done(address_bits=bits), pause=pause())
        self.requests = StreamSink(
            bench, "request", RequestHeader(address_bits=bits), pause=pause()
        )
        beat = WriteBeat(rows=config.tile.scratchpad_rows, row_bits=8 * flit)
        self.writes = StreamSink(bench, "write__request", beat, pause=pause())
        shape = DataFlit(flit_bytes=flit)
        self.headers = response_source(bench, pause())
        self.data = StreamSource(bench, "response_data", shape, pause=pause())
        self.content = Content(bench.rng)
        rows = config.tile.scratchpad_rows
        self.before = np.full((rows, flit), 0xA5, np.uint8)
        if config.tile.tensor_loads:
            self.indices = ReadMemory(bench, "indices", self.before, pause=pause())
        self.memory = Responder(
            bench,
            config,
            RequestKind.READ,
            config.tile.load_requests,
            self.headers,
            lambda: int(bench.rng.integers(latency[0], latency[1] + 1)),
            content=self.content,
            data=self.data,
            data_shape=shape,
        )
        bench.add(self)

    async def start(self):
        """Resets and tells the engine where it is."""
        await self.bench.reset()
        drive_node(self.bench)

    def reset(self):
        self.counted_bytes = 0
        self.handed = 0

    def step(self):
        """Hands requests to the memory, and counts what the counter would."""
        for bits in self.requests.raw[self.handed :]:
            self.memory.schedule(self.memory.accept(unpack(self.requests.shape, bits)))
        self.handed = len(self.requests.raw)
        self.counted_bytes += read(self.bench.port("bytes"))

    def describe(self):
        return f"{self.counted_bytes} bytes counted"

    async def run(self, commands, cycles=60_000):
        """Sends commands and waits for all their ends."""
        ended = len(self.done.raw)
        self.commands.send(*[command.bits(Opcode.LOAD) for command in commands])
        await self.done.take(ended + len(commands), cycles=cycles)
        await self.bench.cycles(2)
        assert not self.bench.port("busy").value
        assert not self.data.pending
        assert not self.headers.pending

    def scratchpad(self):
        """(rows, row bytes) uint8 after the writes so far; what nobody wrote is as ``before``."""
        flit, image = self.config.flit_bytes, self.before.copy()
        for beat in self.writes.items:
            image[beat["row"]] = np.frombuffer(beat["data"].to_bytes(flit, "little"), np.uint8)
        return image

    def golden(self, commands):
        """The scratchpad that legal ``commands`` leave, row by row of the definition."""
        rows, flit = self.config.tile.scratchpad_rows, self.config.flit_bytes
        image = np.full((rows, flit), 0xA5, dtype=np.uint8)
        for command in commands:
            for addresses, row in rows_of(command):
                flits = -(-len(addresses) // flit)
                line = np.zeros(flits * flit, dtype=np.uint8)
                line[: len(addresses)] = self.content.bytes_at(command.endpoint, addresses)
                image[row : row + flits] = line.reshape(flits, flit)
        return image
