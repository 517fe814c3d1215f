"""A processor on its bench: memories, front end, and the golden beside it."""

from typing import Any

import numpy as np
from vector_ports import VectorPorts, configuration
from weft.microcode import Word, encode
from weft_hw.isa import Opcode, ProgramCommand, RunCommand, Status
from weft_hw.vector.processor.processor import Processor
from weft_sim.bench import pack, run_bench
from weft_sim.golden.microprogram import RunResult, run_microprogram
from weft_sim.golden.streams import Stream

__all__ = ["CONFIGURATIONS", "Rig", "run_processor", "run_word"]


#: Configurations of processor benches.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "micro": {"preset": "micro"},
    "base_bf16": {"preset": "base", "tile": {"formats": ["int8", "bf16"]}},
    # vectors of 32 bits fill four rows, one instruction fills one
    "micro_fp8": {"preset": "micro", "tile": {"formats": ["int8", "fp8e5m2"]}},
}


def run_processor(name: str, test_module: str) -> None:
    """Runs the coroutines of a module on one of ``CONFIGURATIONS``."""
    parameters = CONFIGURATIONS[name]
    component = Processor(configuration(parameters))
    run_bench(component, f"processor_{name}", test_module, parameters=parameters)


def run_word(f: dict[str, Any], index: int = 0, signal: int = 0) -> dict[str, Any]:
    """A RUN as it comes from the front end; ``f``: m, n, start, streams, scalars."""
    streams = [
        {
            "row": stream.row,
            "row_stride": stream.row_stride,
            "block_stride": stream.block_stride,
            "format": stream.code,
            "accumulator": int(stream.accumulator),
        }
        for stream in (*f["streams"], *(Stream(),) * (4 - len(f["streams"])))
    ]
    header = {"opcode": Opcode.RUN, "signal": signal}
    fields = {**f, "header": header, "streams": streams}
    return {"bits": pack(RunCommand, fields), "index": index}


class Rig(VectorPorts):
    """A processor, its memories and its front end. ``store`` is what its store must hold."""

    def __init__(self, dut: Any, *, stalls: float = 0.0):
        super().__init__(dut, stalls=stalls)
        self.store = np.zeros(self.tile.microprogram_entries, np.uint64)
        self._sensible()

    def _sensible(self) -> None:
        """Numbers near one in most of the memories: fp32 in a third of them, bf16 in another."""
        flat = self.memories.scratchpad.reshape(-1)
        third = len(flat) // 12 * 4
        near = self.rng.normal(size=third // 2).astype(np.float32)
        flat[:third] = near[: third // 4].view(np.uint8)
        flat[third : 2 * third] = (near.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        half = len(self.memories.accumulator) // 2
        floats = self.rng.normal(size=self.memories.accumulator[:half].shape).astype(np.float32)
        self.memories.accumulator[:half] = floats.view(np.int32)

    async def end(self, *words: dict[str, Any], cycles: int = 20_000) -> list[dict[str, Any]]:
        """Sends commands and waits for as many ends."""
        before = len(self.done.raw)
        self.commands.send(*words)
        return (await self.done.take(before + len(words), cycles))[before:]

    def program_word(self, row: int, count: int, start: int, index: int = 0) -> dict[str, Any]:
        """A PROGRAM as it comes from the front end."""
        fields = {
            "header": {"opcode": Opcode.PROGRAM, "signal": 5},
            "row": row,
            "count": count,
            "start": start,
        }
        return {"bits": pack(ProgramCommand, fields), "index": index}

    async def fill_store(self) -> None:
        """Random words in all entries of the store."""
        await self.load_words(self.rng.integers(0, 2**64, len(self.store), np.uint64), 0)

    async def load(self, program: list[Word], start: int = 0, row: int | None = None) -> None:
        """Puts a program into the scratchpad and from there into the store."""
        await self.load_words(encode(program), start, row)

    async def load_words(self, words: np.ndarray, start: int, row: int | None = None) -> None:
        """The same with instructions as (count,) uint64."""
        rows = -(-8 * len(words) // self.tile.row_bytes)
        if row is None:
            row = int(self.rng.integers(0, self.tile.scratchpad_rows - rows + 1))
        self.memories.store(row, words)
        self.store[start : start + len(words)] = words
        (end,) = await self.end(self.program_word(row, len(words), start, 77))
        assert (end["index"], end["signal"], end["status"]) == (77, 5, Status.OK)

    def golden(self, f: dict[str, Any]) -> tuple[RunResult, np.ndarray]:
        """How the command must end, and the scratchpad after it."""
        scratchpad = self.memories.scratchpad.copy()
        accumulator = self.memories.accumulator.copy()
        result = run_microprogram(self.tile, self.store, scratchpad, accumulator, **f)
        return result, scratchpad

    async def check(self, f: dict[str, Any], *, cycles: int = 200_000) -> None:
        """Runs one command: the whole scratchpad and its end must be right."""
        want, scratchpad = self.golden(f)
        (end,) = await self.end(run_word(f, 9, 3), cycles=cycles)
        got = (end["index"], end["signal"], end["status"], end["address"])
        assert got == (9, 3, want.status, want.address), (got, want, f)
        np.testing.assert_array_equal(self.memories.scratchpad, scratchpad, err_msg=f"{f}")
