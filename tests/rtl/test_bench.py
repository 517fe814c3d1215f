"""The bench itself: timing, agents, stream rules, payloads, and that a failing test fails."""

import cocotb
import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out
from weft_sim.bench import Bench, StreamMonitor, StreamSink, StreamSource, pack, run_bench, unpack
from weft_sim.bench.pauses import bursts, pattern, random_pauses


class Colour(enum.Enum, shape=unsigned(2)):
    RED = 0
    GREEN = 1


class Word(data.Struct):
    colour: Colour
    level: signed(5)
    bytes: data.ArrayLayout(unsigned(8), 2)


class Slice(wiring.Component):
    """A register slice; with ``broken`` it lets go of an item that waits for ready."""

    def __init__(self, broken=False):
        self.broken = broken
        super().__init__(
            {
                "i": In(stream.Signature(Word)),
                "o": Out(stream.Signature(Word)),
                "taken": Out(unsigned(16)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        taken = Signal(16)
        m.d.comb += self.taken.eq(taken)
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += taken.eq(taken + 1)
        if self.broken:
            with m.If(taken[4] & ~self.o.ready):
                m.d.sync += self.o.valid.eq(0)
        return m


def word(rng):
    return {
        "colour": Colour.GREEN,
        "level": int(rng.integers(-16, 16)),
        "bytes": rng.integers(0, 256, 2).tolist(),
    }


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def writes_are_seen_at_the_next_edge_and_reads_are_before_it(dut):
    """Agents that act in another phase than the contract says."""
    bench = Bench(dut)
    source = StreamSource(bench, "i", Word)
    sink = StreamSink(bench, "o", Word)
    await bench.reset()
    source.send(word(bench.rng))
    await sink.take(1, cycles=10)
    # offered after edge 1, taken at edge 2, valid after it, taken at edge 3
    assert source.at == [2]
    assert sink.at == [3]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def items_pass_in_order_under_any_pauses(dut):
    """A source or sink that loses, repeats or changes an item when it pauses."""
    for slow_in, slow_out in ((0, 0), (0.7, 0), (0, 0.7), (0.5, 0.5)):
        bench = Bench(dut)
        source = StreamSource(bench, "i", Word, pause=random_pauses(bench.rng, slow_in))
        sink = StreamSink(bench, "o", Word, pause=random_pauses(bench.rng, slow_out))
        monitor = StreamMonitor(bench, "o", Word)
        await bench.reset()
        want = [word(bench.rng) for _ in range(200)]
        source.send(*want)
        assert await sink.take(200, cycles=4000) == want
        assert monitor.raw == sink.raw
        assert not source.pending
        assert int(dut.taken.value) == 200
        if not slow_in and not slow_out:
            assert sink.at[-1] - sink.at[0] == 199


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_stuck_wait_says_who_waits(dut):
    """A bounded wait that does not end, or ends without a reason."""
    bench = Bench(dut)
    source = StreamSource(bench, "i", Word)
    StreamSink(bench, "o", Word, pause=pattern("1110"))
    await bench.reset()
    source.send(*[word(bench.rng) for _ in range(9)])
    stuck = r"drained must happen within 9 cycles(.|\n)*i: \d transfers, [1-9]"
    with pytest.raises(AssertionError, match=stuck):
        await source.drained(cycles=9)
    with pytest.raises(ValueError, match="stream must be a port of the design, not 'x'"):
        StreamSink(bench, "x")
    with pytest.raises(ValueError, match="must be an output"):
        StreamSink(bench, "i")


@cocotb.test(timeout_time=1, timeout_unit="ms", name="z_valid_holds_until_ready")
async def valid_holds_until_ready(dut):
    """A design that lets an offered item go."""
    bench = Bench(dut)
    source = StreamSource(bench, "i", Word)
    sink = StreamSink(bench, "o", Word, pause=bursts(bench.rng, 2, 4))
    await bench.reset()
    source.send(*[word(bench.rng) for _ in range(60)])
    await sink.take(60, cycles=2000)


def test_bench():
    """The whole self-test on a sound register slice."""
    run = run_bench(Slice(), "slice", __name__)
    assert run.tests == 4


def test_a_broken_design_fails():
    """The stream rules catch the slice that lets go of items, and the failure reaches pytest."""
    with pytest.raises(AssertionError, match=r"1 of 1 failed; .* repeat with WEFT_SEED=\d+"):
        run_bench(
            Slice(broken=True), "slice_broken", __name__, testcase="z_valid_holds_until_ready"
        )


def test_pack_and_unpack():
    """Payloads go through the layout and come back; what does not fit is refused."""
    value = {"colour": Colour.GREEN, "level": -3, "bytes": [1, 255]}
    bits = pack(Word, value)
    assert bits == 1 | (29 << 2) | (1 << 7) | (255 << 15)
    assert unpack(Word, bits) == value
    assert pack(Word, {}) == 0
    assert pack(unsigned(16), b"\x01\x02") == 0x0201
    for bad, error, message in (
        ({"level": 16}, ValueError, r"payload\.level must be between -16 and 15, not 16"),
        ({"bytes": [0, 256]}, ValueError, r"payload\.bytes\.1 must be between 0 and 255, not 256"),
        ({"bytes": [0]}, ValueError, r"payload\.bytes must have 2 elements, not 1"),
        ({"size": 1}, ValueError, r"payload must have fields among .*, not 'size'"),
        ({"level": "x"}, TypeError, r"payload\.level must be an integer, not 'x'"),
        (5, TypeError, r"payload must be a mapping of fields, not 5"),
    ):
        with pytest.raises(error, match=message):
            pack(Word, bad)
    with pytest.raises(ValueError, match="bits must be between"):
        unpack(Word, 1 << 23)
