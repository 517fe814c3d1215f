"""A control node on the bench: host registers, host memory, and a model of all tiles."""

from collections import deque
from dataclasses import replace

from axi_memory import PipelinedMemory, model_memory
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from control_tiles import Tiles
from weft_hw.config import COMMAND_BYTES, HostConfig, TileConfig
from weft_hw.control.registers import Access, QueueState, register_map
from weft_hw.isa import CommandHeader, CompletionRecord, Engine, FenceCommand, Opcode
from weft_hw.presets import preset
from weft_sim.bench import Bench, pack, unpack

__all__ = ["CONFIGS", "MEMORY_BYTES", "ControlBench", "command", "fence"]

MEMORY_BYTES = 1 << 16
RECORD_BYTES = 32

#: Flits of 4, 8, 16 and 128 bytes; one tile and several; a bound on all commands below the queues'.
CONFIGS = {
    "nano": preset("nano"),
    "quad": replace(preset("quad"), host=HostConfig(max_in_flight=16, windows=2)),
    "base": preset("base").replace_mesh(cols=3, rows=2),
    "broad": replace(
        preset("nano"),
        name="broad",
        tile=TileConfig(array_rows=128, array_cols=128, scratchpad_kib=128, accumulator_kib=256),
    ),
}


def command(rng, opcode, *, x=0, y=0, engine=None):
    """A command of random bytes but for opcode, tile and, of a NOP, engine."""
    bits = int.from_bytes(rng.bytes(COMMAND_BYTES), "little")
    head = CommandHeader.as_shape().size
    fields = {"opcode": opcode, "tile_x": x, "tile_y": y, "wait": 0x1234, "signal": 0x8001}
    bits = bits >> head << head | pack(CommandHeader, fields)
    if engine is not None:
        bits = bits & ~(3 << head) | engine.value << head
    return bits.to_bytes(COMMAND_BYTES, "little")


def fence(sequence, interrupt=0):
    bits = pack(
        FenceCommand,
        {"header": {"opcode": Opcode.FENCE}, "sequence": sequence, "interrupt": interrupt},
    )
    return bits.to_bytes(COMMAND_BYTES, "little")


class ControlBench:
    """The control node of ``CONFIGS[parameters["config"]]`` between a host and tiles.

    ``latency`` asks for host memory without bubbles, otherwise it is cocotbext-axi's.
    """

    def __init__(self, dut, *, stall=0.0, latency=None):
        self.dut = dut
        self.bench = bench = Bench(dut)
        self.rng = bench.rng
        self.config = CONFIGS[bench.parameters["config"]]
        self.tiles = Tiles(bench, self.config, stall)
        if latency is None:
            self.memory = model_memory(bench, "host", MEMORY_BYTES, stall=stall)
        else:
            self.memory = PipelinedMemory(bench, "host", MEMORY_BYTES, latency=latency)
        bus = AxiLiteBus.from_prefix(dut, "registers_")
        self._lite = AxiLiteMaster(bus, dut.clk, dut.rst)
        for half in (self._lite.write_if, self._lite.read_if):
            half.log.setLevel("ERROR")
        self.map = {register.name: register for register in register_map(self.config)}
        self.writable = [r.name for r in self.map.values() if r.access is Access.READ_WRITE]
        self.tail = 0

    async def reset(self):
        await self.bench.reset()
        await self.bench.cycles(2)
        self.tail = 0

    async def write(self, name, value):
        await self._lite.write(self.map[name].offset, int(value).to_bytes(4, "little"))

    async def read(self, name):
        answer = await self._lite.read(self.map[name].offset, 4)
        return int.from_bytes(answer.data, "little")

    async def access(self, offset, data=None):
        """A raw access; returns its response code."""
        if data is None:
            return (await self._lite.read(offset, 4)).resp
        return (await self._lite.write(offset, data)).resp

    async def state(self):
        return QueueState(await self.read("STATUS") & 7)

    async def idle(self):
        return bool(await self.read("STATUS") & 8)

    async def start(self, *, base=0x1000, log2=4, completions=0x8000, completion_log2=3):
        """Sets the ring up and runs it."""
        self.base, self.log2 = base, log2
        self.completions, self.completion_log2 = completions, completion_log2
        self.tail = 0
        for name, value in (
            ("QUEUE_BASE_LO", base),
            ("QUEUE_LOG2", log2),
            ("COMPLETION_BASE_LO", completions),
            ("COMPLETION_LOG2", completion_log2),
            ("INTERRUPT_ENABLE", 3),
            ("CONTROL", 1),
        ):
            await self.write(name, value)

    def place(self, commands):
        """Puts commands into the ring without ringing."""
        for item in commands:
            slot = self.base + COMMAND_BYTES * (self.tail % (1 << self.log2))
            self.memory.data[slot : slot + COMMAND_BYTES] = item
            self.tail += 1

    async def submit(self, commands):
        self.place(commands)
        await self.write("TAIL", self.tail)

    async def submit_all(self, commands):
        """Submits in random portions, never more than the ring holds."""
        commands = deque(commands)
        for _ in range(2000):
            if not commands:
                return
            free = (1 << self.log2) - (self.tail - await self.read("HEAD"))
            count = min(free, len(commands), int(self.rng.integers(1, 9)))
            if count:
                await self.submit([commands.popleft() for _ in range(count)])
        raise AssertionError(f"the ring must take all commands, {len(commands)} are left")

    async def until_state(self, state, polls=400):
        for _ in range(polls):
            if await self.state() is state:
                return
            await self.bench.cycles(10)
        raise AssertionError(f"STATUS must become {state}, not stay {await self.state()}")

    async def until_idle(self, polls=2000):
        for _ in range(polls):
            if await self.idle():
                return
            await self.bench.cycles(20)
        raise AssertionError(f"the queue must become idle; {self.tiles.describe()}")

    async def requeue(self):
        """A queue reset, and its effects on the registers."""
        await self.write("RESET", 1)
        await self.until_state(QueueState.DISABLED)
        for name in (
            "CONTROL",
            "HEAD",
            "TAIL",
            "ERROR_STATUS",
            "IN_FLIGHT",
            "COMPLETED",
            "SEQUENCE",
        ):
            assert await self.read(name) == 0, name
        await self.write("INTERRUPT_STATUS", 3)
        await self.bench.cycles(2)
        self.tail = 0
        self.tiles.commands.clear()
        self.tiles.ended.clear()
        self.tiles.arrived_at.clear()
        self.tiles.fail.clear()

    def record(self, sequence):
        """The completion record of a sequence number, unpacked."""
        slot = self.completions + RECORD_BYTES * (sequence % (1 << self.completion_log2))
        bits = int.from_bytes(self.memory.data[slot : slot + RECORD_BYTES], "little")
        return unpack(CompletionRecord, bits)

    def random_tile(self):
        return {
            "x": int(self.rng.integers(self.config.mesh.cols)),
            "y": int(self.rng.integers(self.config.mesh.rows)),
        }

    def random_commands(self, count):
        """Commands for tiles: (bytes, x, y, engine)."""
        items = []
        for _ in range(count):
            tile = self.random_tile()
            opcode = list(Opcode)[int(self.rng.choice([0, 2, 3, 4, 5]))]
            engine = Engine(int(self.rng.integers(4)))
            if opcode is not Opcode.NOP:
                engine = Engine[opcode.name]
            nop = engine if opcode is Opcode.NOP else None
            item = command(self.rng, opcode, engine=nop, **tile)
            items.append((item, tile["x"], tile["y"], engine))
        return items
