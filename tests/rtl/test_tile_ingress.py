"""Command ingress: packets reach the queue of their engine, register reads the status page."""

import cocotb
import pytest
from weft_hw.isa import COMMAND_BYTES, Engine
from weft_hw.noc.packet import Flit, RequestHeader, RequestKind
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


@pytest.mark.parametrize("name", ["nano", "base"])
def test_ingress(name):
    run_bench(Ingress(preset(name)), f"ingress_{name}", __name__, parameters={"preset": name})
