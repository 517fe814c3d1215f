"""Around the vector engine or a unit of it: a front end and both local memories."""

from typing import Any

from local_ports import ReadMemory, WriteMemory
from vector_memory import Memories
from weft_hw.config import ChipConfig
from weft_hw.isa import CommandWord
from weft_hw.presets import preset
from weft_hw.tile.engine import Done
from weft_sim.bench import Bench, StreamSink, StreamSource
from weft_sim.bench.pauses import bursts, never, random_pauses

__all__ = ["VectorPorts", "configuration"]


def configuration(parameters: dict[str, Any]) -> ChipConfig:
    """The chip that a bench's parameters name: a preset, with other formats or sizes."""
    return preset(parameters["preset"]).replace_tile(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in parameters.get("tile", {}).items()
        }
    )


class VectorPorts:
    """Agents on all ports; ``stalls`` is the probability of a pause on each."""

    def __init__(self, dut: Any, *, stalls: float = 0.0):
        self.bench = bench = Bench(dut)
        self.config = config = configuration(bench.parameters)
        self.tile = config.tile
        self.rng = bench.rng
        self.memories = Memories.garbage(config, bench.rng)

        def pauses() -> Any:
            if not stalls:
                return never()
            if bench.rng.random() < 0.3:
                return bursts(bench.rng, 20, 20 * stalls / (1 - stalls) + 1)
            return random_pauses(bench.rng, stalls)

        done = Done(address_bits=config.host.address_bits)
        self.commands = StreamSource(bench, "engine__command", CommandWord, pause=pauses())
        self.done = StreamSink(bench, "engine__done", done, pause=pauses())
        self.accumulator = ReadMemory(
            bench, "accumulator", self.memories.accumulator, pause=pauses()
        )
        self.read = ReadMemory(bench, "read", self.memories.scratchpad, pause=pauses())
        self.write = WriteMemory(bench, "write", config, self.memories.scratchpad, pause=pauses())

    async def reset(self) -> None:
        await self.bench.reset()

    async def quiet(self) -> None:
        """Nothing moves any more."""
        await self.bench.cycles(2)
        assert not self.bench.dut.busy.value
        ports = (self.accumulator, self.read, self.write, self.done)
        counts = [len(agent.raw) for agent in ports]
        await self.bench.cycles(30)
        assert counts == [len(agent.raw) for agent in ports]
