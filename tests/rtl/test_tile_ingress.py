"""Ingress: packets reach the queue of their engine, register reads the status page, writes of other
tiles the scratchpad.
"""

import cocotb
import pytest
from weft_hw.isa import COMMAND_BYTES, Engine, Status
from weft_hw.memory.port import WriteBeat
from weft_hw.noc.packet import (
    Flit,
    Headed,
    NodeAddress,
    RequestHeader,
    RequestKind,
    ResponseHeader,
    ResponseKind,
    RouterPort,
)
from weft_hw.noc.tile_packet import TO_TILES, TileWriteHeader
from weft_hw.presets import preset
from weft_hw.tile.ingress import Ingress
from weft_sim.bench import Bench, StreamSink, StreamSource, pack, run_bench
from weft_sim.bench.pauses import random_pauses

pytestmark = pytest.mark.rtl


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def packets_reach_their_engine(dut):
    """A command in another engine's queue, without its index, or cut by a register read."""
    bench = Bench(dut)
    config = preset(bench.parameters["preset"])
    header = RequestHeader(address_bits=config.host.address_bits)
    flits = StreamSource(
        bench, "flits", Flit(flit_bytes=config.flit_bytes), pause=random_pauses(bench.rng, 0.3)
    )
    queues = {
        engine: StreamSink(
            bench, f"words_{engine.name.lower()}", pause=random_pauses(bench.rng, 0.4)
        )
        for engine in Engine
    }
    reads = StreamSink(bench, "read", header, pause=random_pauses(bench.rng, 0.4))
    await bench.reset()
    bits = 8 * config.flit_bytes
    header_flits = -(-header.size // bits)
    want = {engine: [] for engine in Engine}
    asked = []

    def send(words):
        for number, word in enumerate(words):
            flits.send({"data": word, "last": number == len(words) - 1})

    for index in range(80):
        command = bench.rng.random() < 0.7
        engine = Engine(int(bench.rng.integers(0, 4)))
        address = index if command else 64 * int(bench.rng.integers(0, 4))
        fields = pack(
            header,
            {
                "kind": RequestKind.COMMAND if command else RequestKind.READ,
                "length": 64,
                "tag": engine.value if command else index,
                "address": address,
            },
        )
        words = [fields >> bits * i & (1 << bits) - 1 for i in range(header_flits)]
        if command:
            body = [
                int.from_bytes(bench.rng.bytes(bits // 8), "little")
                for _ in range(COMMAND_BYTES * 8 // bits)
            ]
            want[engine] += [index, *body]
            words += body
        else:
            asked.append((index, address))
        send(words)
    await flits.drained(cycles=20_000)
    await bench.cycles(20)
    assert {engine: sink.raw for engine, sink in queues.items()} == want
    assert [(item["tag"], item["address"]) for item in reads.items] == asked


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes_reach_the_scratchpad(dut):
    """A row lost or misplaced, a signal before the last row, an acknowledgement before the signal,
    a packet that takes part of another along."""
    for stall in (0.0, 0.4):
        bench = Bench(dut)
        config = preset(bench.parameters["preset"])
        if config.mesh.tiles == 1:
            return
        request = RequestHeader(address_bits=config.host.address_bits)
        beat = WriteBeat(rows=config.tile.scratchpad_rows, row_bits=8 * config.flit_bytes)

        def pause(stall=stall, bench=bench):
            return random_pauses(bench.rng, stall)

        layout = Flit(flit_bytes=config.flit_bytes)
        flits = StreamSource(bench, "flits", layout, pause=pause())
        writes = StreamSink(bench, "remote__request", beat, pause=pause())
        acks = StreamSink(bench, "ack", Headed(ResponseHeader), pause=pause())
        commands = StreamSink(bench, "words_store", pause=pause())
        reads = StreamSink(bench, "read", request, pause=pause())
        await bench.reset()
        bench.port("node").value = pack(NodeAddress, {"x": 1, "y": 1, "port": RouterPort.LOCAL})
        bits = 8 * config.flit_bytes
        rng = bench.rng
        want, want_acks, want_signals, signals, others = [], [], [], [], []
        for number in range(120):
            if rng.random() < 0.3:
                fields = {"kind": RequestKind.READ, "tag": number, "address": 64}
                if rng.random() < 0.5:
                    fields = {"kind": RequestKind.COMMAND, "tag": 3, "address": number}
                header, body = pack(request, fields), []
                if fields["kind"] is RequestKind.COMMAND:
                    body = [int(value) for value in rng.integers(1 << 30, size=512 // bits)]
                    others.append([number, *body])
                else:
                    others.append(number)
            else:
                rows = int(rng.integers(0, 6))
                row = int(rng.integers(config.tile.scratchpad_rows - rows))
                signal = int(rng.integers(1 << 16)) * int(rng.random() < 0.6)
                overflow = int(rng.random() < 0.3) if signal else 0
                header = pack(
                    TileWriteHeader,
                    {
                        "rectangle": {"mark": TO_TILES, "x_last": 2, "y_last": 3},
                        "source_x": 2,
                        "source_y": 3,
                        "tag": number,
                        "signal": signal,
                        "row": row,
                    },
                )
                body = [int.from_bytes(rng.bytes(bits // 8), "little") for _ in range(rows)]
                want += [{"row": row + k, "data": data} for k, data in enumerate(body)]
                status = Status.SEMAPHORE_OVERFLOW if overflow else Status.OK
                want_acks.append((number, status, len(want), len(want_signals) + bool(signal)))
                if signal:
                    want_signals.append((signal, overflow, len(want)))
            words = [header >> bits * k & (1 << bits) - 1 for k in range(-(-request.size // bits))]
            words += body
            for k, word in enumerate(words):
                flits.send({"data": word, "last": k == len(words) - 1})
        told = 0
        for _ in range(20_000):
            # the semaphores: take a signal at random, with its overflow
            taken = bool(dut.signal_taken.value) and bool(dut.signal.value)
            if taken:
                signals.append((int(dut.signal_mask.value), len(writes.raw)))
            take = rng.random() > stall and len(signals) < len(want_signals)
            dut.signal_taken.value = int(take)
            dut.signal_overflow.value = want_signals[len(signals)][1] if take else 0
            # an acknowledgement comes after all rows and after the signal
            while told < len(acks.raw):
                assert len(writes.raw) >= want_acks[told][2]
                assert len(signals) >= want_acks[told][3]
                told += 1
            if told == len(want_acks) and not flits.pending:
                break
            await bench.cycles(1)
        await bench.cycles(20)
        assert writes.items == want
        got = [ack["header"] for ack in acks.items]
        assert [(ack["tag"], ack["status"]) for ack in got] == [ack[:2] for ack in want_acks]
        assert all(
            (ack["destination"], ack["source"], ack["kind"])
            == (
                {"x": 2, "y": 3, "port": RouterPort.LOCAL},
                {"x": 1, "y": 1, "port": RouterPort.LOCAL},
                ResponseKind.WRITE_ACK,
            )
            for ack in got
        )
        assert [mask for mask, _ in signals] == [mask for mask, _, _ in want_signals]
        assert all(
            seen >= rows for (_, seen), (_, _, rows) in zip(signals, want_signals, strict=True)
        )
        heard = [item["tag"] for item in reads.items]
        assert heard == [item for item in others if isinstance(item, int)]
        assert commands.raw == [word for item in others if isinstance(item, list) for word in item]


@pytest.mark.parametrize("name", ["nano", "base", "quad"])
def test_ingress(name):
    run_bench(Ingress(preset(name)), f"ingress_{name}", __name__, parameters={"preset": name})
