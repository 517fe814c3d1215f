"""The model's cycles where a closed form says what they must be."""

import time

import numpy as np
import pytest
from model_rig import ModelRig
from weft.commands import pack
from weft_hw.array.matmul import window_cycles
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Engine, Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.model.engines.dma import DmaEngine
from weft_sim.model.engines.store import StoreEngine
from weft_sim.model.events import Events
from weft_sim.model.port import READ, WRITE, MemoryPort
from weft_sim.model.stalls import SlotClock


def matmul(rig: ModelRig, m: int, k: int, n: int, *, same_bank: bool = False) -> tuple[int, int]:
    """(begin, end) of a matmul whose operands lie in banks of their own, or in one."""
    tile = rig.config.tile
    kb, nb = -(-k // tile.array_rows), -(-n // tile.array_cols)
    bank = units_per_row(tile, Format.INT8) * tile.scratchpad_rows // tile.scratchpad_banks
    rig.run(
        pack(
            Opcode.MATMUL, m=m, k=k, n=n, a_row=0, a_stride=kb,
            w_row=bank // 2 if same_bank else bank, w_stride=nb, acc_row=0, acc_stride=m,
        )
    )  # fmt: skip
    return rig.events(Engine.MATMUL, rig.tail - 2)


@pytest.mark.parametrize("name", ["nano", "base"])
def test_resident_matmuls_take_the_closed_form(name: str) -> None:
    rig = ModelRig(name)
    rows = rig.config.tile.array_rows
    fixed = set()
    for m, k, n in [(1, 1, 1), (rows, rows, rows), (3 * rows + 1, 2 * rows, rows + 1), (2, 99, 5)]:
        begin, end = matmul(rig, m, k, n)
        fixed.add(end - begin - window_cycles(rig.config.tile, m=m, k=k, n=n))
    # the same few cycles from hand-over to the first read and from the last write to the end
    assert len(fixed) == 1
    assert 0 < fixed.pop() < 10


def test_weights_beside_activations_cost_time() -> None:
    rig = ModelRig("base")
    rows = rig.config.tile.array_rows
    begin, end = matmul(rig, 64, 8 * rows, rows)
    apart = end - begin
    begin, end = matmul(rig, 64, 8 * rows, rows, same_bank=True)
    # of each block but the first all weight rows but those in the buffer wait for the activations
    assert apart + 7 * (rows - 4) <= end - begin <= apart + 7 * (rows + 4)
    assert rig.counter(2, 7) > 0, "conflicts are counted"


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
def test_long_transfers_run_at_the_port_less_headers(opcode: Opcode) -> None:
    rig = ModelRig("base")
    flit, packet = rig.config.flit_bytes, rig.config.mesh.max_packet_bytes
    size = 96 * 1024
    cycles = []
    for rows in (size // 2 // 1024, size // 1024):
        rig.run(pack(opcode, memory_stride=1024, row_bytes=1024, rows=rows, local_stride=64))
        begin, end = rig.events(
            Engine.LOAD if opcode is Opcode.LOAD else Engine.STORE, rig.tail - 2
        )
        cycles.append(end - begin)
    # twice the bytes, less what the first has beside them; one header flit for each packet
    rate = size // 2 / (cycles[1] - cycles[0])
    assert rate == pytest.approx(flit * packet / (packet + flit), rel=0.01)


def test_bandwidth_and_latency_count() -> None:
    load = pack(Opcode.LOAD, memory_stride=512, row_bytes=512, rows=64, local_stride=32)
    cycles = {}
    for latency in (20, 200):
        for rate in (16, 4):
            rig = ModelRig("base", latency_cycles=latency, bytes_per_cycle=rate)
            rig.run(load)
            begin, end = rig.events(Engine.LOAD, 0)
            cycles[latency, rate] = end - begin
    assert cycles[200, 16] - cycles[20, 16] >= 180
    assert cycles[20, 4] == pytest.approx(64 * 512 / 4, rel=0.05)


def test_known_transfers_are_the_same() -> None:
    """What is known of transfers, or worked out for loads alone, is what the machine does."""
    rng = np.random.default_rng(5)
    for latency, stores in ((1, True), (60, True), (400, True), (1, False), (300, False)):
        commands = []
        for number in range(16):
            size, rows = int(rng.integers(1, 700)), int(rng.integers(1, 9))
            fields = {
                "memory_address": int(rng.integers(0, 9000)), "memory_stride": size + number,
                "row_bytes": size, "rows": rows, "local_stride": 176,
            }  # fmt: skip
            opcode = Opcode.STORE if stores and number % 5 == 4 else Opcode.LOAD
            commands.append(pack(opcode, **fields))
        seen = []
        for machine in (False, False, True):
            with pytest.MonkeyPatch.context() as patch:
                if machine:
                    patch.setattr(DmaEngine, "signature", lambda self, job: None)
                    patch.setattr(StoreEngine, "signature", lambda self, job: None)
                rig = ModelRig("nano", latency_cycles=latency)
                cycles = rig.run(*commands)
                pages = [rig.counter(2, word) for word in range(8)]
                seen.append((cycles, pages, rig.target.statistics(), rig.target.trace()))
        for known in seen[:2]:
            assert known[:3] == seen[2][:3], latency
            np.testing.assert_array_equal(known[3], seen[2][3])


def test_model_is_fast() -> None:
    """A resident program of a quarter of a billion operations takes well under a second."""
    rig = ModelRig("base")
    program = [
        pack(
            Opcode.MATMUL, m=128, k=512, n=128, a_row=0, a_stride=32, w_row=8192, w_stride=8,
            acc_row=0, acc_stride=128,
        )
    ] * 16  # fmt: skip
    begun = time.process_time()
    cycles = rig.run(*program)
    assert time.process_time() - begun < 1
    assert cycles == pytest.approx(16 * 128 * 512 * 128 / 256, rel=0.01)


def test_a_bus_alternates_between_reads_and_writes() -> None:
    events = Events()
    port = MemoryPort(events, Dram(latency_cycles=10), 16, 0)
    ends = {}
    events.at(5, port.add, READ, 8, lambda: ends.setdefault("read", events.now))
    events.at(5, port.add, WRITE, 4, lambda: ends.setdefault("write", events.now))
    events.run(100)
    # 5 R, 6 W, 7 R, ... 12 W ends the write; four reads are left
    assert ends == {"write": 12, "read": 16}


def test_stalls_are_those_of_the_memory_model() -> None:
    clock = SlotClock(Dram(stall_probability=0.5, stall_seed=1), 0, 1)
    state, want = 1 ^ 0x9E3779B9, []
    for cycle in range(200):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        if state >= 1 << 31:
            want.append(cycle)
    clock.restart(0)
    assert [clock.cycle_of(slot) for slot in range(50)] == want[:50]
    assert clock.before(want[20]) == 20


def test_all_presets_run() -> None:
    for name in ("nano", "ecp5", "quad", "mesh16", "fleet"):
        rig = ModelRig(preset(name))
        mesh = rig.config.mesh
        last = (mesh.cols - 1, mesh.rows - 1)
        load = {"row_bytes": 100, "rows": 3, "local_stride": 100, "signal": 1}
        near = pack(Opcode.LOAD, endpoint=0, **load)
        far = pack(Opcode.LOAD, tile=last, endpoint=mesh.memory_endpoints - 1, **load)
        rig.run(near, far, pack(Opcode.STORE, tile=last, row_bytes=5, rows=1, wait=1))
