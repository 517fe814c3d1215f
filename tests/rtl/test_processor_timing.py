"""The processor's cycles without refusals: what a cycle model may rely on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cocotb
import pytest
from processor_programs import random_program, random_run
from processor_rig import CONFIGURATIONS, Rig, run_processor, run_word
from weft.microcode import Word
from weft_hw.formats.table import Format, units_per_row, units_per_vector
from weft_hw.isa import Status
from weft_hw.vector.microcode import STRIP, Op
from weft_hw.vector.processor.issuer import Issuer
from weft_hw.vector.processor.lane import ProcessorLane

DISTANCE = ProcessorLane.DISTANCE


@dataclass
class Cycles:
    """Cycles from a command's being taken: memory accesses and the end."""

    reads: list[int] = field(default_factory=list)
    accumulators: list[int] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    done: int = 0


def walk(program: list[Word], blocks: int) -> Iterator[tuple[Word, int]]:
    """Instructions in the order in which a strip runs them, with their column block."""
    pc = block = loop = 0
    while True:
        word = program[pc]
        yield word, block
        pc += 1
        if word.op is Op.LOOP:
            loop = pc
        elif word.op is Op.NEXT and block < blocks - 1:
            block, pc = block + 1, loop
        elif word.op is Op.NEXT:
            block = 0
        elif word.op is Op.END:
            return


class Predictor:
    """The rules of ``vector.processor.processor``, as they stand there."""

    def __init__(self, tile: Any, f: dict[str, Any]):
        self.tile, self.f = tile, f
        self.cycles = Cycles()
        self.there = 2
        self.free = 0
        self.passed = self.issued = 0
        self.stores: list[tuple[int, int]] = []  # passed, last write accepted
        self.low = self.high = 0

    def run(self, program: list[Word]) -> Cycles:
        blocks = -(-self.f["n"] // self.tile.array_cols)
        for first in range(0, self.f["m"], STRIP):
            rows = min(STRIP, self.f["m"] - first)
            for word, block in walk(program, blocks):
                if word.op in (Op.LOOP, Op.NEXT, Op.END):
                    left = self.there
                    self.there = left + 1
                else:
                    self.work(word, first, rows, block)
        ends = [left, self.issued, *(accepted for _, accepted in self.stores)]
        self.cycles.done = max(ends) + 2
        return self.cycles

    def under_way(self, cycle: int) -> int:
        return sum(passed < cycle <= accepted for passed, accepted in self.stores)

    def work(self, word: Word, first: int, rows: int, block: int) -> None:
        leaves = max(self.there, self.free)
        self.there = leaves + 1
        self.passed = max(self.passed, leaves)
        for i in range(first, first + rows):
            if word.op is Op.LOAD:
                self.load(word, i, block)
            elif word.op is Op.STORE:
                self.store(word, i, block)
            else:
                self.step()
                if word.op is Op.LOOKUP:
                    self.passed += self.tile.array_cols + 5
                    self.step()
                    self.there = self.passed + 2
        if rows >= DISTANCE:
            self.free = self.passed
        else:
            self.free = self.issued + DISTANCE - rows - 1

    def step(self) -> int:
        """A row passes the walk and is issued a cycle later."""
        self.passed = max(self.passed + 1, self.issued)
        self.issued = self.passed + 1
        return self.issued

    def place(self, word: Word, i: int, block: int) -> tuple[Any, int, int]:
        """The stream, and first and last scratchpad row of the vector."""
        stream = self.f["streams"][word.stream]
        unit = stream.row + i * stream.row_stride + block * stream.block_stride
        if stream.accumulator:
            return stream, unit, unit
        code = Format(stream.code)
        row = unit // units_per_row(self.tile, code)
        return stream, row, row + units_per_vector(self.tile, code) - 1

    def load(self, word: Word, i: int, block: int) -> None:
        stream, row, last = self.place(word, i, block)
        for touched in range(row, last + 1):
            self.step()
            if stream.accumulator:
                self.cycles.accumulators.append(self.issued)
                continue
            if self.under_way(self.passed) and self.low <= touched <= self.high:
                last_write = max(accepted for _, accepted in self.stores)
                self.issued = max(self.issued, last_write + 1)
            self.cycles.reads.append(self.issued)

    def store(self, word: Word, i: int, block: int) -> None:
        _, row, last = self.place(word, i, block)
        wait = max(self.passed + 1, self.issued)
        while self.under_way(wait) == Issuer.DEPTH:
            wait += 1
        self.passed = wait - 1
        self.step()
        if self.under_way(self.passed):
            self.low, self.high = min(self.low, row), max(self.high, last)
        else:
            self.low, self.high = row, last
        shows = max(self.issued + 8, self.cycles.writes[-1] + 1 if self.cycles.writes else 0)
        self.cycles.writes += range(shows, shows + last - row + 1)
        self.stores = [s for s in self.stores if s[1] >= self.passed]
        self.stores.append((self.passed, self.cycles.writes[-1]))


async def measure(rig: Rig, f: dict[str, Any]) -> Cycles:
    """The same, measured; results are checked against the golden on the way."""
    agents = (rig.read, rig.accumulator, rig.write)
    counts = [len(agent.at) for agent in agents]
    await rig.check(f)
    start = rig.commands.at[-1]
    reads, accumulators, writes = (
        [at - start for at in agent.at[count:]] for agent, count in zip(agents, counts, strict=True)
    )
    return Cycles(reads, accumulators, writes, rig.done.at[-1] - start)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def programs_take_the_cycles_they_should(dut):
    """A bubble between instructions, strips or rounds of a loop; a read before a write it needs."""
    rig = Rig(dut)
    await rig.reset()
    await rig.fill_store()
    for _ in range(120):
        m = int(rig.rng.integers(1, STRIP + 1)) if rig.rng.random() < 0.5 else None
        f = random_run(rig, m=m)
        size = int(rig.rng.integers(1, 30))
        program = random_program(rig.rng, rig.tile.array_cols, f["streams"], size=size)
        # a load that nothing follows is waited for
        program[-1:] = [Word(op=Op.ROW, d=0), Word(op=Op.END)]
        await rig.load(program)
        f = {**f, "start": 0}
        assert await measure(rig, f) == Predictor(rig.tile, f).run(program), (f, program)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def loading_a_program_takes_the_cycles_it_should(dut):
    """A store that is filled slower than its port allows."""
    rig = Rig(dut)
    await rig.reset()
    each = rig.tile.row_bytes // 8
    for count in (1, 2, 3, 7, 16, rig.tile.microprogram_entries):
        rows = -(-count // each)
        before = len(rig.read.at)
        await rig.end(rig.program_word(0, count, 0))
        start = rig.commands.at[-1]
        reads = [at - start for at in rig.read.at[before:]]
        assert reads == [2 + row * each for row in range(rows)]
        assert rig.done.at[-1] - start == reads[-1] + 3 + (count - 1) % each + 2


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def errors_are_answered_when_they_should(dut):
    """A refused command that waits for something."""
    rig = Rig(dut)
    await rig.reset()
    (end,) = await rig.end(
        run_word({"m": 0, "n": 1, "start": 0, "streams": [], "scalars": [0] * 4})
    )
    assert end["status"] is Status.ILLEGAL_FIELD
    assert rig.done.at[-1] - rig.commands.at[-1] == 2


@pytest.mark.rtl
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_processor_timing(name: str) -> None:
    run_processor(name, __name__)
