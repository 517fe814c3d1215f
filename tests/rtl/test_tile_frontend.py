"""Front end of an engine: assembles, takes semaphores, hands over, answers."""

import cocotb
import pytest
from weft_hw.isa import CommandHeader, CommandWord, Opcode, Status
from weft_hw.presets import preset
from weft_hw.tile.engine import Done
from weft_hw.tile.frontend import FrontEnd
from weft_sim.bench import Bench, StreamSink, StreamSource, pack, run_bench
from weft_sim.bench.pauses import random_pauses

pytestmark = pytest.mark.rtl


class _Peers:
    """Plays ingress, semaphores, engine and completions around the front end."""

    def __init__(self, dut):
        self.bench = bench = Bench(dut)
        self.dut = dut
        self.config = preset(bench.parameters["preset"])
        self.layout = Done(address_bits=self.config.host.address_bits)
        self.words = StreamSource(bench, "words", pause=random_pauses(bench.rng, 0.3))
        self.engine = StreamSink(
            bench, "engine__command", CommandWord, pause=random_pauses(bench.rng, 0.3)
        )
        self.engine.withdraws = lambda: bool(int(dut.abort.value))
        self.ends = StreamSource(
            bench, "engine__done", self.layout, pause=random_pauses(bench.rng, 0.5)
        )
        self.dones = StreamSink(bench, "done", self.layout, pause=random_pauses(bench.rng, 0.3))
        self.granted = []
        self.answered = 0
        bench.add(self)

    def submit(self, index, opcode, wait, signal):
        bits = pack(CommandHeader, {"opcode": opcode, "wait": wait, "signal": signal})
        bits |= (0xA5A5 + index) << 64
        self.words.send(index)
        size = 8 * self.config.flit_bytes
        self.words.send(*[bits >> shift & (1 << size) - 1 for shift in range(0, 512, size)])
        return bits

    def reset(self):
        self.dut.grant.value = 0
        self.granted.clear()
        self.answered = 0

    def step(self):
        # the grant is given at random and counts in the cycle in which both are high
        if int(self.dut.grant.value) and int(self.dut.request.value):
            self.granted.append(int(self.dut.mask.value))
        self.dut.grant.value = int(self.bench.rng.random() < 0.3)
        # the engine answers what it took
        while self.answered < len(self.engine.raw):
            command = self.engine.items[self.answered]
            self.ends.send(
                {
                    "index": command["index"],
                    "signal": command["bits"] >> 48 & 0xFFFF,
                    "status": Status.OK,
                }
            )
            self.answered += 1

    def describe(self):
        return f"engine: {self.answered} answered"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def commands_pass_once_and_in_order(dut):
    """A word in the wrong place, a semaphore taken twice, a NOP that overtakes its engine."""
    peers = _Peers(dut)
    await peers.bench.reset()
    rng = peers.bench.rng
    sent = []
    for index in range(60):
        opcode = Opcode.NOP if rng.random() < 0.3 else Opcode.LOAD
        wait, signal = int(rng.integers(0, 65536)), int(rng.integers(0, 65536))
        sent.append((index, opcode, wait, signal, peers.submit(index, opcode, wait, signal)))
    dones = await peers.dones.take(len(sent), cycles=20_000)
    assert [done["index"] for done in dones] == [row[0] for row in sent]
    assert [done["signal"] for done in dones] == [row[3] for row in sent]
    assert all(done["status"] == Status.OK for done in dones)
    assert peers.granted == [row[2] for row in sent]
    handed = [(command["index"], command["bits"]) for command in peers.engine.items]
    assert handed == [(row[0], row[4]) for row in sent if row[1] != Opcode.NOP]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def abort_answers_what_waits(dut):
    """A command that waits for semaphores for ever, or reaches the engine after the abort."""
    peers = _Peers(dut)
    await peers.bench.reset()
    for round_ in range(5):
        dut.abort.value = 0
        peers.dones.clear()
        for index in range(6):
            peers.submit(index, Opcode.LOAD, 1, 0)
        await peers.bench.cycles(int(peers.bench.rng.integers(10, 200)))
        dut.abort.value = 1
        await peers.bench.cycles(1)
        handed = len(peers.engine.raw)
        dones = await peers.dones.take(6, cycles=2000)
        assert sorted(done["index"] for done in dones) == list(range(6)), round_
        await peers.bench.cycles(2)
        assert len(peers.engine.raw) <= handed + 1
        assert int(dut.state.value) == 0


@pytest.mark.parametrize("name", ["nano", "base"])
def test_frontend(name):
    run_bench(FrontEnd(preset(name)), f"frontend_{name}", __name__, parameters={"preset": name})
