"""The bridge: each operation, each refusal, and whatever a line can do to frames."""

import cocotb
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from cocotbext.axi import AxiLiteBus, AxiLiteRam
from weft.serial.frames import FrameReader, frame, request
from weft_hw.axi.signature import AxiLite
from weft_hw.boards.ram import SharedRam
from weft_hw.control.registers import ADDRESS_BITS
from weft_hw.streams.link import link
from weft_hw.uart.bridge import Bridge
from weft_hw.uart.protocol import MAX_DATA, Info, ReplyStatus
from weft_sim.bench import Bench, StreamSink, StreamSource, run_bench, unpack
from weft_sim.bench.pauses import random_pauses

MEMORY_BYTES = 4096
WORD_BYTES = 8
CLOCK_HZ = 1_000_000
OKAY, BAD_FRAME, BAD_REQUEST, RANGE = (
    ReplyStatus[name].value for name in ("OKAY", "BAD_FRAME", "BAD_REQUEST", "RANGE")
)


class _Rig(wiring.Component):
    """The bridge with its memory; the bytes of the line are streams."""

    i: In(stream.Signature(unsigned(8)))
    broken: In(1)
    o: Out(stream.Signature(unsigned(8)))
    registers: Out(AxiLite(address_bits=ADDRESS_BITS))
    interrupt: In(1)
    chip_reset: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = bridge = Bridge(
            memory_bytes=MEMORY_BYTES, data_bytes=WORD_BYTES, clock_hz=CLOCK_HZ
        )
        m.submodules.ram = ram = SharedRam(
            rows=MEMORY_BYTES // WORD_BYTES, data_bytes=WORD_BYTES, ports=1
        )
        link(m, bridge.ram, ram.port[0])
        link(m, bridge.o, wiring.flipped(self.o))
        link(m, bridge.registers, wiring.flipped(self.registers))
        m.d.comb += [
            bridge.i.payload.eq(self.i.payload),
            bridge.i.valid.eq(self.i.valid),
            self.i.ready.eq(1),
            bridge.broken.eq(self.broken),
            bridge.interrupt.eq(self.interrupt),
            self.chip_reset.eq(bridge.chip_reset),
        ]
        return m


class _BridgeBench(Bench):
    """Sends requests and collects replies."""

    def __init__(self, dut, stall=0.3):
        super().__init__(dut)
        self.source = StreamSource(self, "i", pause=random_pauses(self.rng, stall))
        self.sink = StreamSink(self, "o", pause=random_pauses(self.rng, stall))
        bus = AxiLiteBus.from_prefix(dut, "registers_")
        self.registers = AxiLiteRam(bus, dut.clk, dut.rst, size=1 << ADDRESS_BITS)
        for half in (self.registers.write_if, self.registers.read_if):
            half.log.setLevel("ERROR")
        self.tag = 0

    async def call(self, operation, address=0, count=0, data=b""):
        """Status and data of the reply."""
        self.tag = self.tag % 255 + 1
        return await self.answer(request(operation, self.tag, address, count, data), self.tag)

    async def answer(self, sent, tag):
        self.source.send(*sent)
        seen, reader = len(self.sink.raw), FrameReader()
        for _ in range(60_000):
            await self.cycles()
            content = reader.feed(bytes(self.sink.raw[seen:]))
            seen = len(self.sink.raw)
            if content:
                assert not reader.broken
                assert content[0][0] == tag
                return content[0][-1], content[0][1:-1]
        raise AssertionError("every whole frame must be answered, and this one is not")

    async def silence(self, sent):
        """What gets no answer."""
        before = len(self.sink.raw)
        self.source.send(*sent)
        await self.source.drained()
        await self.cycles(300)
        assert len(self.sink.raw) == before


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def memory_keeps_every_byte(dut):
    """A lane off by one, a strobe too many, END or ESC in data taken for a frame's end."""
    bench = _BridgeBench(dut)
    await bench.reset()
    assert await bench.call("CLEAR_MEMORY", 0, MEMORY_BYTES) == (OKAY, b"")
    want = bytearray(MEMORY_BYTES)
    spans = [(first, length) for first in (0, 1, 7) for length in (1, 2, 7, 8, 9, 16)]
    spans += [(100, 250), (MEMORY_BYTES - 1, 1), (MEMORY_BYTES - 64, 64)]
    for number, (address, length) in enumerate(spans):
        address += 32 * number if address < 8 else 0
        special = number % 3 == 0
        data = (
            bytes(bench.rng.choice([0xC0, 0xDB, 0xDC, 0xDD], length).tolist()) if special else None
        )
        data = data or bench.rng.bytes(length)
        assert await bench.call("WRITE_MEMORY", address, length, data) == (OKAY, b"")
        want[address : address + length] = data
        assert await bench.call("READ_MEMORY", address, length) == (OKAY, data)
    for address in range(0, MEMORY_BYTES, 512):
        assert await bench.call("READ_MEMORY", address, 512) == (
            OKAY,
            want[address : address + 512],
        )
    assert await bench.call("CLEAR_MEMORY", 33, 70) == (OKAY, b"")
    want[33:103] = bytes(70)
    assert await bench.call("READ_MEMORY", 0, 256) == (OKAY, want[:256])


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def longest_frames_fit(dut):
    """A buffer one byte short; a frame longer than any that overwrites the one before."""
    bench = _BridgeBench(dut, stall=0)
    await bench.reset()
    data = bench.rng.bytes(MAX_DATA)
    assert await bench.call("WRITE_MEMORY", 8, MAX_DATA, data) == (OKAY, b"")
    assert await bench.call("READ_MEMORY", 8, MAX_DATA) == (OKAY, data)
    long = MAX_DATA + 1
    assert await bench.call("WRITE_MEMORY", 8, long, bytes(long)) == (BAD_FRAME, b"")
    assert await bench.call("READ_MEMORY", 8, long) == (BAD_REQUEST, b"")
    assert await bench.call("READ_MEMORY", 8, MAX_DATA) == (OKAY, data)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def registers_are_reached(dut):
    """Address and value of different requests; bytes of the value turned round."""
    bench = _BridgeBench(dut)
    await bench.reset()
    for offset, value in ((0, 0x01020304), (0x44, 0xC0DBDCDD), (0xFFC, 0xFFFF_FFFF)):
        assert await bench.call("WRITE_REGISTER", offset, value) == (OKAY, b"")
        assert bench.registers.read(offset, 4) == value.to_bytes(4, "little")
        assert await bench.call("READ_REGISTER", offset) == (OKAY, value.to_bytes(4, "little"))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def refusals_do_nothing(dut):
    """A request outside memory or registers that wraps round and is carried out."""
    bench = _BridgeBench(dut)
    await bench.reset()
    await bench.call("CLEAR_MEMORY", 0, MEMORY_BYTES)
    for operation, address, count, data, want in (
        ("WRITE_MEMORY", MEMORY_BYTES, 1, b"x", RANGE),
        ("WRITE_MEMORY", MEMORY_BYTES - 1, 2, b"xy", RANGE),
        ("WRITE_MEMORY", 2**32 - 1, 2, b"xy", RANGE),
        ("CLEAR_MEMORY", 1, 2**32 - 1, b"", RANGE),
        ("WRITE_MEMORY", 0, 2, b"x", BAD_REQUEST),
        ("WRITE_MEMORY", 0, 1, b"xy", BAD_REQUEST),
        ("WRITE_MEMORY", 0, 0, b"", BAD_REQUEST),
        ("READ_MEMORY", 0, 1, b"x", BAD_REQUEST),
        ("WRITE_REGISTER", 2, 1, b"", RANGE),
        ("WRITE_REGISTER", 1 << ADDRESS_BITS, 1, b"", RANGE),
    ):
        got = await bench.call(operation, address, count, data)
        assert got == (want, b""), f"{operation} at {address:#x}"
    assert await bench.answer(frame(bytes((0, 77)) + bytes(8)), 77) == (BAD_REQUEST, b"")
    assert await bench.call("READ_MEMORY", 0, 64) == (OKAY, bytes(64))
    assert bench.registers.read(0, 4) == bytes(4)


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def damage_never_acts(dut):
    """A damaged write that is carried out, or after which nothing is heard any more."""
    bench = _BridgeBench(dut, stall=0)
    await bench.reset()
    await bench.call("CLEAR_MEMORY", 0, MEMORY_BYTES)
    good = request("WRITE_MEMORY", 9, 0, 8, b"abcdefgh")
    for place in range(1, len(good) - 1):
        damaged = bytearray(good)
        # never into END or ESC, which would make two frames of it or none
        damaged[place] ^= 1 << int(bench.rng.integers(3))
        if damaged[place] in (0xC0, 0xDB):
            continue
        tag = damaged[2]
        assert await bench.answer(damaged, tag) == (BAD_FRAME, b""), f"byte {place}"
    assert await bench.call("READ_MEMORY", 0, 16) == (OKAY, bytes(16))
    await bench.silence(good[:-1] + b"\xdb\x00\xc0")
    await bench.silence(good[:11] + b"\xc0")
    await bench.silence(b"\xc0\xc0\xc0")
    # a byte lost on the line: nothing before the next END counts
    bench.source.send(*good[:9])
    await bench.source.drained()
    dut.broken.value = 1
    await bench.cycles()
    dut.broken.value = 0
    await bench.silence(good[9:-1])
    assert await bench.answer(good, 9) == (OKAY, b"")
    assert await bench.call("READ_MEMORY", 0, 9) == (OKAY, b"abcdefgh\0")


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_busy_bridge_drops_whole_frames(dut):
    """Bytes that come during a request taken into the buffer that it uses."""
    bench = _BridgeBench(dut, stall=0)
    await bench.reset()
    await bench.call("CLEAR_MEMORY", 0, MEMORY_BYTES)
    busy = request("WAIT", 5, 0, 200)
    late = request("WRITE_MEMORY", 6, 0, 600, bytes(range(1, 101)) * 6)
    status, data = await bench.answer(busy + late, 5)
    assert (status, data) == (OKAY, b"\0")
    # the rest of the late frame comes when the bridge is free again, and is no frame
    await bench.silence(b"")
    assert await bench.call("READ_MEMORY", 0, 100) == (OKAY, bytes(100))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def wait_ends_with_the_interrupt(dut):
    """A wait that sleeps over the interrupt, or ends without either."""
    bench = _BridgeBench(dut, stall=0)
    await bench.reset()
    start = bench.cycle
    assert await bench.call("WAIT", 0, 500) == (OKAY, b"\0")
    assert 500 <= bench.cycle - start < 600
    dut.interrupt.value = 1
    start = bench.cycle
    assert await bench.call("WAIT", 0, 2**32 - 1) == (OKAY, b"\1")
    assert bench.cycle - start < 100


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def info_and_reset(dut):
    """Facts of another board; a reset that is too short or never ends."""
    bench = _BridgeBench(dut)
    await bench.reset()
    status, data = await bench.call("INFO")
    info = unpack(Info, int.from_bytes(data, "little"))
    assert (status, info["memory_bytes"], info["word_bytes"]) == (OKAY, MEMORY_BYTES, WORD_BYTES)
    assert (info["clock_hz"], info["max_data"]) == (CLOCK_HZ, MAX_DATA)
    bench.source.send(*request("RESET", 3))
    held = 0
    for _ in range(400):
        await bench.cycles()
        held += int(dut.chip_reset.value)
    assert held == 32
    assert FrameReader().feed(bytes(bench.sink.raw))[-1] == bytes((3, OKAY))


def test_uart_bridge():
    run_bench(_Rig(), "uart_bridge", __name__)
