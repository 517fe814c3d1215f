"""The compiled memory model against its description: pin by pin, and its latency and bandwidth
by formula.
"""

import numpy as np
import pytest
from harness_copy import NARROW, WIDE, copy_target, fill, start_copy, write
from harness_reference import ReferencePort, read_vcd
from weft_sim.target import TRACE_DTYPE

pytestmark = pytest.mark.rtl

_RESET_CYCLES = 4


@pytest.mark.parametrize(
    "dram",
    [
        {"latency_cycles": 1},
        {"latency_cycles": 9, "bytes_per_cycle": 3},
        {"latency_cycles": 30, "stall_probability": 0.25, "stall_seed": 77},
        {"latency_cycles": 3, "bytes_per_cycle": 2, "stall_probability": 0.8, "stall_seed": 2**31},
        {"latency_cycles": 5, "error_base": 0x10100, "error_limit": 0x10101},
        {"latency_cycles": 5, "error_base": 0x40, "error_limit": 0x80, "stall_probability": 0.5},
    ],
    ids=str,
)
def test_every_pin_in_every_cycle(tmp_path, dram):
    """Any difference between the compiled memory and weft_sim/dram.py, read a second time in
    Python.
    """
    waveform = tmp_path / "copy.vcd"
    with copy_target(NARROW, vcd=waveform, **dram) as target:
        memory = bytearray(fill(target, np.random.default_rng(1)))
        # ports 0 and 2 overlap on purpose: they see each other's writes
        start_copy(target, source=0, destination=1 << 16, beats=128, burst=8, stride=64, engines=7)
        for _ in range(3):
            assert target.run(50_000)
            write(target, done=target.read_register(0x28))
            if target.statistics()["host_bytes_written"] == 1024:
                break
        target.run(300)
        ports = [ReferencePort(target.dram, memory, i, width) for i, width in enumerate((4, 4, 8))]
        cycle_count, result = target.cycle, target.memory.tobytes()
    cycles = read_vcd(waveform)[_RESET_CYCLES:]
    assert len(cycles) in (cycle_count, cycle_count - 1)
    names = ("memory__0__", "memory__1__", "host__")
    for cycle, pins in enumerate(cycles):
        seen = [
            {key.removeprefix(name): value for key, value in pins.items() if key.startswith(name)}
            for name in names
        ]
        for name, port, got in zip(names, ports, seen, strict=True):
            for pin, want in port.drive(cycle).items():
                assert got[pin] == want, f"{name}{pin} in cycle {cycle}"
        for port, got in zip(ports, seen, strict=True):
            port.sample(cycle, got)
    assert bytes(memory) == result


def _cycles(target, beats, engines=1, burst=16):
    """Cycles from the engine's start to its finish."""
    target.reset()
    target.set_tracing(True)
    start_copy(
        target, source=0, destination=1 << 19, beats=beats, burst=burst, stride=1 << 16,
        engines=engines,
    )  # fmt: skip
    assert target.run(1_000_000)
    events = target.trace()
    assert events.dtype == TRACE_DTYPE
    assert events["kind"].tolist()[0] == 0
    return int(events["cycle"][events["kind"] == 1].max() - events["cycle"].min())


def test_latency_is_counted_once_a_read_and_once_a_write():
    """A latency off by one, or that each beat pays."""

    def cycles(latency, beats):
        with copy_target(NARROW, latency_cycles=latency) as target:
            return _cycles(target, beats, burst=beats)

    for beats in (1, 16):
        assert cycles(101, beats) - cycles(1, beats) == 2 * 100
    # one beat: address and register stages of the test chip, then latency, FIFO, bus, latency
    assert cycles(50, 1) == 2 * 50 + 6


@pytest.mark.parametrize(("shape", "width"), [(NARROW, 4), (WIDE, 32)], ids=["narrow", "wide"])
@pytest.mark.parametrize("rate", [None, 1, 3, 32])
def test_bandwidth_is_that_of_the_bus(shape, width, rate):
    """Beats that cross faster than the bus moves bytes, or slower."""
    with copy_target(shape, latency_cycles=30, bytes_per_cycle=rate) as target:
        short, long = (_cycles(target, beats) for beats in (512, 1536))
        beat_cycles = -(-width // (rate or width))
        # each beat crosses the bus twice, once read and once written
        assert long - short == 2 * (1536 - 512) * beat_cycles


def test_stalls_have_the_probability_asked_for():
    """A threshold that is off, or a generator that repeats early."""
    with copy_target(NARROW, latency_cycles=1) as target:
        free = _cycles(target, 2048)
    for share in (0.25, 0.5, 0.9):
        with copy_target(NARROW, latency_cycles=1, stall_probability=share) as target:
            assert _cycles(target, 2048) == pytest.approx(free / (1 - share), rel=0.05)


def test_ports_have_a_bus_each():
    """Ports that share one bus."""
    with copy_target(NARROW, latency_cycles=10) as target:
        assert _cycles(target, 1024, engines=3) == _cycles(target, 1024, engines=1)


def test_error_range_and_end_of_memory_answer_slverr():
    """An access that touches a refused byte and is served, or changes memory."""
    with copy_target(NARROW, error_base=0x10040, error_limit=0x10041) as target:
        before = fill(target, np.random.default_rng(2))
        start_copy(target, source=0, destination=0x10000, beats=64, burst=16)
        assert target.run(5000)
        assert target.read_register(0x30) == 1
        want = before.copy()
        want[0x10000:0x10100] = before[0:0x100]
        want[0x10040:0x10080] = before[0x10040:0x10080]  # the second burst touches the refused byte
        np.testing.assert_array_equal(target.memory, want)
        write(target, done=1)
        size = target.memory.size
        start_copy(target, source=size - 64, destination=0, beats=32, burst=16)
        assert target.run(5000)
        want[:64] = want[size - 64 :]
        want[64:128] = 0  # beyond the end: read as zeros with an error for each beat
        np.testing.assert_array_equal(target.memory, want)
        assert target.read_register(0x2C) == 16
