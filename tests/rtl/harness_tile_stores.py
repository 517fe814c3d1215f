"""Around a mesh of storing tiles: commands, what they do, other users of the scratchpads."""

import numpy as np
from tile_mesh import storing_chip
from weft_hw.isa import CommandWord, Opcode, Status, StoreCommand
from weft_hw.memory.port import WriteBeat
from weft_hw.noc.tile_packet import tile_packet_rows
from weft_hw.tile.engine import Done
from weft_sim.bench import Bench, StreamMonitor, StreamSink, StreamSource, pack
from weft_sim.bench.pauses import never, random_pauses

__all__ = ["Harness", "Store"]


class Store:
    """A STORE to tiles."""

    def __init__(self, **fields):
        self.fields = {"to_tiles": 1, "row_bytes": 1, "rows": 1} | fields

    def __getattr__(self, name):
        return self.fields.get(name, 0)

    def word(self, index):
        fields = self.fields | {"header": {"opcode": Opcode.STORE, "signal": index & 0xFFFF}}
        return {"bits": pack(StoreCommand, fields), "index": index}

    def positions(self):
        return [
            (x, y)
            for y in range(self.y_first, self.y_last + 1)
            for x in range(self.x_first, self.x_last + 1)
        ]


class Harness:
    """All tiles of the mesh. ``stall`` pauses ends; ``busy`` is how often others use a bank."""

    def __init__(self, dut, busy=0.0, stall=0.0):
        self.bench = bench = Bench(dut)
        self.dut = dut
        self.config = config = storing_chip(**bench.parameters)
        self.mesh = config.mesh
        bits = config.host.address_bits
        row_bits = 8 * config.flit_bytes
        self.rows = config.tile.scratchpad_rows
        beat = WriteBeat(rows=self.rows, row_bits=row_bits)
        self.commands, self.dones, self.fills, self.reads, self.answers = [], [], [], [], []
        for k in range(self.mesh.tiles):
            self.commands.append(StreamSource(bench, f"engine__{k}__command", CommandWord))
            self.dones.append(
                StreamSink(
                    bench,
                    f"engine__{k}__done",
                    Done(address_bits=bits),
                    pause=random_pauses(bench.rng, stall),
                )
            )
            pause = random_pauses(bench.rng, 1 - busy) if busy else None
            self.fills.append(StreamSource(bench, f"fill__{k}__request", beat))
            self.reads.append(StreamSource(bench, f"dump__{k}__request", pause=pause))
            self.answers.append(StreamMonitor(bench, f"dump__{k}__response"))
        self.busy = busy
        self.image = [
            bench.rng.integers(0, 256, (self.rows, config.flit_bytes), dtype=np.uint8)
            for _ in range(self.mesh.tiles)
        ]
        self.counts = np.zeros((self.mesh.tiles, 16), int)
        self.sent = [0] * self.mesh.tiles

    async def start(self):
        """Resets and fills the scratchpads."""
        await self.bench.reset()
        for fill, image in zip(self.fills, self.image, strict=True):
            fill.pause = never()
            fill.send(*[{"row": row, "data": line.tobytes()} for row, line in enumerate(image)])
        for fill in self.fills:
            await fill.drained()
            if self.busy:
                fill.pause = random_pauses(self.bench.rng, 1 - self.busy)

    def disturb(self, count, rows):
        """Others read and rewrite rows of ``rows`` while stores run."""
        for fill, read, image in zip(self.fills, self.reads, self.image, strict=True):
            for row in self.bench.rng.choice(rows, count).tolist():
                fill.send({"row": row, "data": image[row].tobytes()})
                read.send(row)

    def tile(self, x, y):
        return y * self.mesh.cols + x

    def send(self, tile, *stores):
        """Queues commands; what they do to ``image`` and ``counts`` is done at once."""
        for store in stores:
            self.commands[tile].send(store.word(self.sent[tile]))
            self.sent[tile] += 1
            self.golden(tile, store)

    def golden(self, tile, store):
        flit = self.config.flit_bytes
        lines = -(-store.row_bytes // flit) if store.rows else 0
        for x, y in store.positions():
            there = self.image[self.tile(x, y)]
            for i in range(store.rows):
                here = store.local_row + i * store.local_stride
                line = self.image[tile][here : here + lines].reshape(-1).copy()
                line[store.row_bytes :] = 0
                first = store.remote_row + i * store.remote_stride
                there[first : first + lines] = line.reshape(lines, flit)
            mask = store.remote_signal
            self.counts[self.tile(x, y)] += [mask >> s & 1 for s in range(16)]

    def rectangle(self):
        """A random one, as fields."""
        rng = self.bench.rng
        (x_first, x_last), (y_first, y_last) = (
            sorted(rng.integers(size, size=2).tolist()) for size in (self.mesh.cols, self.mesh.rows)
        )
        return {"x_first": x_first, "x_last": x_last, "y_first": y_first, "y_last": y_last}

    def random_store(self, remote_row, local_rows):
        """A store of rows of ``local_rows``, and the rows it takes from ``remote_row`` on."""
        rng, flit = self.bench.rng, self.config.flit_bytes
        lines = int(rng.choice([1, 2, 3, tile_packet_rows(self.config) + int(rng.integers(3))]))
        rows = int(rng.integers(0, 5))
        whole = rng.random() < 0.6
        row_bytes = lines * flit - (0 if whole else int(rng.integers(flit)))
        gap, remote_gap = (int(rng.choice([0, 0, 1])) for _ in range(2))
        if rows > 2 and rng.random() < 0.3:
            rows = 30 // lines
        span = max(rows - 1, 0) * (lines + gap) + lines
        store = Store(
            **self.rectangle(),
            row_bytes=row_bytes,
            rows=rows,
            local_row=int(rng.integers(local_rows - span)),
            local_stride=lines + gap,
            remote_row=remote_row,
            remote_stride=lines + remote_gap,
            remote_signal=int(rng.integers(1 << 16)) if rng.random() < 0.7 or not rows else 0,
        )
        return store, (rows * (lines + remote_gap) if rows else 0)

    async def finish(self, cycles=100_000):
        """Waits for all ends, then compares memories and semaphores."""
        for tile, (done, count) in enumerate(zip(self.dones, self.sent, strict=True)):
            ends = await done.take(count, cycles=cycles)
            for index, end in enumerate(ends):
                assert (end["index"], end["signal"]) == (index, index), f"tile {tile}"
                assert end["status"] is Status.OK, f"tile {tile}: {end}"
        await self.bench.cycles(30)
        await self.compare()

    async def compare(self):
        for fill in self.fills:
            await fill.drained()
        for read, answer in zip(self.reads, self.answers, strict=True):
            await read.drained()
            read.pause = never()
            await self.bench.cycles(5)
            answer.reset()
            read.send(*range(self.rows))
        for read in self.reads:
            await read.drained()
        await self.bench.cycles(5)
        for tile, answer in enumerate(self.answers):
            got = [value.to_bytes(self.config.flit_bytes, "little") for value in answer.raw]
            got = np.frombuffer(b"".join(got), np.uint8).reshape(self.rows, -1)
            np.testing.assert_array_equal(got, self.image[tile], err_msg=f"scratchpad of {tile}")
            assert self.values(tile) == self.counts[tile].tolist(), f"semaphores of tile {tile}"

    def values(self, tile):
        bits = int(self.dut[f"values__{tile}"].value)
        return [bits >> 8 * s & 255 for s in range(16)]
