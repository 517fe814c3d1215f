"""The UART: bytes through a line, at speeds that differ, and lines that are no bytes."""

import cocotb
import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from weft_hw.streams.link import link
from weft_hw.uart.receiver import UartReceiver
from weft_hw.uart.transmitter import UartTransmitter
from weft_sim.bench import Bench, StreamSink, StreamSource, run_bench
from weft_sim.bench.pauses import random_pauses

#: Cycles a bit of the sender and of the receiver: the fewest; 3 % apart either way.
SPEEDS = [(4, 4), (32, 33), (33, 32)]
FRAME_BITS = 10


class _Line(wiring.Component):
    """A transmitter, a line that can be held low, a receiver."""

    def __init__(self, sender, receiver):
        self.divisors = sender, receiver
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(8))),
                "cut": In(1),
                "o": Out(stream.Signature(unsigned(8))),
                "broken": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.sender = sender = UartTransmitter(divisor=self.divisors[0])
        m.submodules.receiver = receiver = UartReceiver(divisor=self.divisors[1])
        link(m, wiring.flipped(self.i), sender.i)
        m.d.comb += [
            receiver.rx.eq(sender.tx & ~self.cut),
            self.o.payload.eq(receiver.o.payload),
            self.o.valid.eq(receiver.o.valid),
            self.broken.eq(receiver.broken),
        ]
        return m


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def bytes_arrive_in_order(dut):
    """A bit sampled at its edge, a bit order turned round, a stop bit too short."""
    bench = Bench(dut)
    source = StreamSource(bench, "i", pause=random_pauses(bench.rng, 0.5))
    sink = StreamSink(bench, "o")
    await bench.reset()
    want = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *bench.rng.bytes(60)]
    source.send(*want)
    frame = FRAME_BITS * max(bench.parameters["speeds"])
    assert await sink.take(len(want), cycles=(len(want) + 2) * (frame + 2)) == want
    assert not dut.broken.value


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sender_keeps_the_speed(dut):
    """A cycle lost between two bytes: a long message is late."""
    bench = Bench(dut)
    source, sink = StreamSource(bench, "i"), StreamSink(bench, "o")
    await bench.reset()
    source.send(*bench.rng.bytes(20))
    await sink.take(20, cycles=21 * (FRAME_BITS + 1) * max(bench.parameters["speeds"]))
    assert source.at[-1] - source.at[1] == 18 * FRAME_BITS * bench.parameters["speeds"][0]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_held_line_is_no_byte(dut):
    """A break read as an endless run of zeros; a glitch read as a byte."""
    bench = Bench(dut)
    source, sink = StreamSource(bench, "i"), StreamSink(bench, "o")
    await bench.reset()
    bit = bench.parameters["speeds"][1]
    dut.cut.value = 1
    broken = 0
    for _ in range(30 * bit):
        await bench.cycles()
        broken += int(dut.broken.value)
    assert broken == 1
    dut.cut.value = 0
    await bench.cycles(2 * bit)
    if bit > 8:
        # less than half a bit is none
        dut.cut.value = 1
        await bench.cycles(bit // 3)
        dut.cut.value = 0
        await bench.cycles(12 * bit)
    assert sink.raw == []
    source.send(0x3C)
    assert await sink.take(1, cycles=15 * bit) == [0x3C]


@pytest.mark.parametrize("speeds", SPEEDS)
def test_uart(speeds):
    run_bench(_Line(*speeds), "uart_line", __name__, parameters={"speeds": speeds})


def test_divisors_have_a_rule():
    with pytest.raises(ValueError, match="divisor must be at least 4 cycles a bit, not 3"):
        UartReceiver(divisor=3)
    with pytest.raises(ValueError, match="divisor must be at least 1 cycle a bit, not 0"):
        UartTransmitter(divisor=0)
