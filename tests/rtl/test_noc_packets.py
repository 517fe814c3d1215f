"""Packet sender and receiver, back to back.

| testpoint | drives | checks |
|---|---|---|
| round trip | random headers and data, random stalls on all four streams | all equal, in order |
| full rate | no stalls | one flit a cycle across headers, data and packets |
| header first | header consumer stalled | no data before its header is accepted |
"""

import cocotb
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from weft_hw.isa import Engine, Status
from weft_hw.noc.packet import (
    DataFlit,
    Flit,
    Headed,
    RequestHeader,
    RequestKind,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from weft_hw.noc.receiver import PacketReceiver
from weft_hw.noc.sender import PacketSender, header_flits
from weft_sim.bench import Bench, StreamMonitor, StreamSink, StreamSource, run_bench
from weft_sim.bench.pauses import never, random_pauses, stall_for

REQUEST = RequestHeader(address_bits=40)


class Loop(wiring.Component):
    """A sender into a receiver; ``tap`` shows what passes between, ``hold`` keeps it back."""

    def __init__(self, header, flit_bytes):
        self.header = header
        self.flit_bytes = flit_bytes
        headers = stream.Signature(Headed(header))
        flits = stream.Signature(DataFlit(flit_bytes=flit_bytes))
        super().__init__(
            {
                "i_header": In(headers),
                "i_data": In(flits),
                "hold": In(1),
                "o_header": Out(headers),
                "o_data": Out(flits),
                "tap": Out(
                    wiring.Signature({"payload": Out(Flit(flit_bytes=flit_bytes)), "valid": Out(1)})
                ),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.sender = sender = PacketSender(self.header, self.flit_bytes)
        m.submodules.receiver = receiver = PacketReceiver(self.header, self.flit_bytes)
        passes, holding = Signal(), Signal()
        m.d.comb += [
            receiver.i.payload.eq(sender.o.payload),
            receiver.i.valid.eq(sender.o.valid & ~holding),
            sender.o.ready.eq(receiver.i.ready & ~holding),
            passes.eq(receiver.i.valid & receiver.i.ready),
        ]
        # a flit once shown to the receiver stays
        with m.If(passes | ~receiver.i.valid):
            m.d.sync += holding.eq(self.hold)
        for name in ("i_header", "i_data"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(sender, name))
        for name in ("o_header", "o_data"):
            wiring.connect(m, getattr(receiver, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [
            self.tap.valid.eq(passes),
            self.tap.payload.eq(sender.o.payload),
        ]
        return m


def random_node(rng):
    x, y = rng.integers(16, size=2).tolist()
    return {"x": x, "y": y, "port": RouterPort(int(rng.integers(5)))}


def random_header(rng, header):
    ends = {"destination": random_node(rng), "source": random_node(rng)}
    if header is REQUEST:
        return ends | {
            "kind": RequestKind(int(rng.integers(3))),
            "tag": int(rng.integers(256)),
            "length": int(rng.integers(1 << 13)),
            "address": int(rng.integers(1 << 40)),
        }
    return ends | {
        "kind": ResponseKind(int(rng.integers(3))),
        "status": Status(int(rng.integers(len(Status)))),
        "engine": Engine(int(rng.integers(4))),
        "tag": int(rng.integers(1 << 32)),
    }


def make(dut, pauses):
    """The bench of a loop with the four pause generators, in the order of the streams."""
    bench = Bench(dut)
    flit_bytes = bench.parameters["flit_bytes"]
    header = REQUEST if bench.parameters["request"] else ResponseHeader
    data = DataFlit(flit_bytes=flit_bytes)
    p_header, p_data, q_header, q_data = pauses(bench.rng)
    agents = (
        StreamSource(bench, "i_header", Headed(header), pause=p_header),
        StreamSource(bench, "i_data", data, pause=p_data),
        StreamSink(bench, "o_header", Headed(header), pause=q_header),
        StreamSink(bench, "o_data", data, pause=q_data),
    )
    return bench, header, flit_bytes, agents


def random_packets(rng, header, flit_bytes, count):
    headers, flits = [], []
    for _ in range(count):
        length = int(rng.integers(0, 6))
        headers.append({"header": random_header(rng, header), "has_data": int(length > 0)})
        for number in range(length):
            flits.append({"data": rng.bytes(flit_bytes), "last": int(number == length - 1)})
    for flit in flits:
        flit["data"] = int.from_bytes(flit["data"], "little")
    return headers, flits


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def packets_come_back_as_they_went(dut):
    """A sender or receiver that mixes up header flits, or loses one under some stall."""
    for probability in (0.0, 0.3, 0.7):

        def pauses(rng, probability=probability):
            return [random_pauses(rng, probability * rng.random()) for _ in range(4)]

        bench, header, flit_bytes, (headers, data, o_headers, o_data) = make(dut, pauses)
        await bench.reset()
        want_headers, want_data = random_packets(bench.rng, header, flit_bytes, 100)
        headers.send(*want_headers)
        data.send(*want_data)
        hold = random_pauses(bench.rng, probability)
        for _ in range(20_000):
            if len(o_headers.raw) == len(want_headers) and len(o_data.raw) == len(want_data):
                break
            dut.hold.value = next(hold)
            await bench.cycles(1)
        assert await o_headers.take(len(want_headers), cycles=20_000) == want_headers
        assert await o_data.take(len(want_data), cycles=20_000) == want_data
        await bench.cycles(20)
        assert len(o_headers.raw) == len(want_headers)
        assert len(o_data.raw) == len(want_data)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_cycle_carries_a_flit(dut):
    """An idle cycle between header and data or between packets."""
    bench, header, flit_bytes, (headers, data, o_headers, o_data) = make(
        dut, lambda rng: [never() for _ in range(4)]
    )
    tap = StreamMonitor(bench, "tap", Flit(flit_bytes=flit_bytes))
    await bench.reset()
    want_headers, want_data = random_packets(bench.rng, header, flit_bytes, 50)
    headers.send(*want_headers)
    data.send(*want_data)
    await o_headers.take(len(want_headers), cycles=2000)
    await o_data.take(len(want_data), cycles=2000)
    flits = 50 * header_flits(header, flit_bytes) + len(want_data)
    assert len(tap.at) == flits
    assert tap.at[-1] - tap.at[0] == flits - 1
    assert sum(flit["last"] for flit in tap.items) == 50
    # latency 0: taken and given in the same cycle
    assert headers.at == o_headers.at
    assert data.at == o_data.at


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def data_waits_for_its_header_to_be_accepted(dut):
    """Data that reaches its consumer before the header that explains it."""
    bench, header, _, (headers, data, o_headers, o_data) = make(
        dut, lambda rng: [never(), never(), stall_for(30), never()]
    )
    await bench.reset()
    headers.send({"header": random_header(bench.rng, header), "has_data": 1})
    data.send({"data": 7, "last": 1})
    await bench.cycles(25)
    assert not o_headers.raw
    assert not o_data.raw
    await o_data.take(1, cycles=50)
    assert o_data.at[0] == o_headers.at[0] + 1


@pytest.mark.parametrize(
    ("flit_bytes", "request_plane", "flits"),
    # three flits of header; header wider than one flit and no multiple; header in one flit
    [(4, True, 3), (8, True, 2), (8, False, 1), (16, True, 1)],
)
def test_noc_packets(flit_bytes, request_plane, flits):
    header = REQUEST if request_plane else ResponseHeader
    assert header_flits(header, flit_bytes) == flits
    run_bench(
        Loop(header, flit_bytes),
        f"packets_{'request' if request_plane else 'response'}_{flit_bytes}",
        __name__,
        parameters={"flit_bytes": flit_bytes, "request": request_plane},
    )
