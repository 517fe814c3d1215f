"""Around the matmul engine: its two memories, and a bench that speaks in numpy arrays."""

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from weft_hw.array.matmul import MatmulEngine
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import CommandWord, MatmulCommand, Opcode, Status
from weft_hw.memory.accumulator import Accumulator
from weft_hw.memory.port import ReadPort, WriteBeat, WritePort
from weft_hw.memory.scratchpad import Scratchpad
from weft_hw.presets import preset
from weft_hw.streams.link import link
from weft_hw.tile.engine import Done, EnginePort
from weft_sim.bench import Bench, StreamMonitor, StreamSink, StreamSource, pack
from weft_sim.bench.pauses import never, random_pauses


class MatmulFixture(wiring.Component):
    """The engine between a scratchpad that the bench fills and an accumulator that it reads."""

    def __init__(self, config):
        self.config = config
        tile = config.tile
        super().__init__(
            {
                "engine": In(EnginePort(address_bits=config.host.address_bits)),
                "fill": In(WritePort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
                "drain": In(
                    ReadPort(rows=tile.accumulator_rows, row_bits=8 * tile.accumulator_row_bytes)
                ),
                "disturb": In(ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)),
                "stall": Out(1),
                "busy": Out(1),
                "first_read": Out(1),
                "last_write": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = engine = MatmulEngine(self.config)
        m.submodules.scratchpad = scratchpad = Scratchpad(self.config)
        m.submodules.accumulator = accumulator = Accumulator(self.config)
        link(m, wiring.flipped(self.engine), engine.engine)
        link(m, engine.activations, scratchpad.read_activations)
        link(m, engine.weights, scratchpad.read_weights)
        if "mxfp8" in self.config.tile.formats:
            link(m, engine.scales, scratchpad.read_scales)
        link(m, wiring.flipped(self.disturb), scratchpad.read_store)
        link(m, wiring.flipped(self.fill), scratchpad.write_load)
        link(m, wiring.flipped(self.drain), accumulator.read)
        m.d.comb += [
            accumulator.update_valid.eq(engine.update_valid),
            accumulator.update_row.eq(engine.update_row),
            accumulator.update_accumulate.eq(engine.update_accumulate),
            accumulator.sums.eq(engine.sums),
            self.stall.eq(engine.stall),
            self.busy.eq(engine.busy),
            self.first_read.eq(engine.weights.request.valid & engine.weights.request.ready),
            self.last_write.eq(engine.update_valid),
        ]
        if self.config.tile.has_float:
            m.d.comb += accumulator.update_floating.eq(engine.update_floating)
        return m


class MatmulRig:
    """Drives the fixture: numpy arrays in, numpy arrays out."""

    def __init__(self, dut, stalls):
        self.bench = bench = Bench(dut)
        self.config = preset(bench.parameters["preset"])
        tile = self.tile = self.config.tile
        pause = (lambda: random_pauses(bench.rng, 0.3)) if stalls else never
        self.commands = StreamSource(bench, "engine__command", CommandWord, pause=pause())
        self.dones = StreamSink(
            bench, "engine__done", Done(address_bits=self.config.host.address_bits), pause=pause()
        )
        self.fill = StreamSource(
            bench,
            "fill__request",
            WriteBeat(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes),
        )
        self.drain = StreamSource(bench, "drain__request", pause=pause())
        self.drained = StreamMonitor(bench, "drain__response")
        self.disturb = StreamSource(bench, "disturb__request", pause=pause())
        self.image = np.zeros(tile.scratchpad_rows * tile.row_bytes, np.uint8)
        #: int8 units of the scratchpad, and of one bank of it
        self.units = tile.scratchpad_rows * units_per_row(tile, Format.INT8)
        self.bank_units = self.units // tile.scratchpad_banks
        self.index = 0

    async def write_rows(self, unit, data):
        """data: (units, bytes), a dtype of one byte; to consecutive units of that many bytes."""
        width, row_bytes = data.shape[1], self.tile.row_bytes
        start, end = unit * width, (unit + len(data)) * width
        self.image[start:end] = data.reshape(-1).view(np.uint8)
        for row in range(start // row_bytes, -(-end // row_bytes)):
            line = self.image[row * row_bytes : (row + 1) * row_bytes]
            self.fill.send({"row": row, "data": int.from_bytes(line.tobytes(), "little")})
        await self.fill.drained()
        await self.bench.cycles(2)

    def matrix_rows(self, matrix):
        """(rows, cols) int8 as int8 units; matrix rows are padded with random bytes."""
        rows, cols = matrix.shape
        size = self.tile.array_rows
        width = -(-cols // size) * size
        padded = self.bench.rng.integers(-128, 128, (rows, width)).astype(np.int8)
        padded[:, :cols] = matrix
        return padded.reshape(-1, size)

    def submit(self, **fields):
        fields.setdefault("header", {"opcode": Opcode.MATMUL, "signal": self.index & 0xFFFF})
        bits = pack(MatmulCommand, fields)
        self.commands.send({"bits": bits, "index": self.index})
        self.index += 1

    async def read_block(self, row, stride, m, n):
        """(m, n) int32 from the accumulator."""
        cols = self.tile.array_cols
        self.drained.reset()
        blocks = -(-n // cols)
        self.drain.send(*[row + nb * stride + i for nb in range(blocks) for i in range(m)])
        await self.bench.until(
            lambda: len(self.drained.raw) == blocks * m,
            cycles=20 * blocks * m + 100,
            what="accumulator rows",
        )
        data = b"".join(int(bits).to_bytes(4 * cols, "little") for bits in self.drained.raw)
        out = np.frombuffer(data, "<i4").reshape(blocks, m, cols)
        return out.transpose(1, 0, 2).reshape(m, blocks * cols)[:, :n]

    async def fault(self, good, change):
        """The end of a command that fails, between ``good`` ones that do not; it is ``good`` but
        for ``change``.
        """
        before, first = int(self.bench.rng.integers(0, 3)), self.index
        for fields in (*[good] * before, {**good, **change}, good):
            self.submit(**fields)
        ends = await self.results(before + 2, cycles=10_000)
        assert [end["index"] for end in ends] == list(range(first, first + before + 2))
        assert all(end["status"] == Status.OK for end in ends[:before]), (change, ends)
        assert ends[-1]["status"] in (Status.OK, Status.ABORTED), (change, ends)
        return ends[before]

    async def results(self, count, cycles):
        items = await self.dones.take(count, cycles=cycles)
        self.dones.clear()
        return items
