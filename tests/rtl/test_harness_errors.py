"""What goes wrong is said in one sentence, and a reset makes the target usable again."""

import os
import signal
import threading

import numpy as np
import pytest
from harness_chip import FAULTS, IDENTITY
from harness_copy import NARROW, WIDE, copy_design, copy_target, start_copy, write
from weft_hw.presets import preset
from weft_sim.dram import Dram
from weft_sim.rtl import (
    AxiProtocolError,
    HardwareAssertionError,
    RegisterError,
    RtlError,
    RtlTarget,
)

pytestmark = pytest.mark.rtl

_RULES = [
    ("early_last", {}, "memory port 0 in cycle .*: WLAST is high with 1 beats of the burst"),
    ("fixed_burst", {}, r"memory port 0 .*: read burst at 0x0 .* is of type 0, not INCR"),
    ("write_fixed_burst", {}, r"memory port 0 .*: write burst at 0x10000 .* is of type 0"),
    ("narrow_size", {}, "memory port 0 .*: read burst .* has size 2 bytes, not the port's 4"),
    ("drop_valid", {"stall": 0.9}, "memory port 0 .*: AR VALID was withdrawn before READY"),
    ("change_data", {"stall": 0.9}, "memory port 0 .*: W changed while VALID waited for READY"),
    (None, {"source": 4088}, "memory port 0 .*: read burst at 0xff8 .* crosses a 4 KiB boundary"),
    (None, {"engines": 2, "source": 4088}, "memory port 1 .* crosses a 4 KiB boundary"),
    (None, {"engines": 4, "source": 4088}, "the host port .* crosses a 4 KiB boundary"),
]


@pytest.mark.parametrize(("fault", "change", "message"), _RULES, ids=lambda value: str(value)[:24])
def test_broken_axi_rules_are_named(fault, change, message):
    """A chip that breaks an AXI rule and is believed."""
    change = {"source": 0, "engines": 1, "stall": 0.0, **change}
    with copy_target(stall_probability=change.pop("stall")) as target:
        program = {"destination": 1 << 16, "beats": 64, **change}
        start_copy(target, fault=FAULTS[fault] if fault else 0, **program)
        with pytest.raises(AxiProtocolError, match=f"^AXI rule broken on .*{message}"):
            target.run(20_000)
        target.reset()
        start_copy(target, source=0, destination=1 << 16, beats=64)
        assert target.run(20_000)


def test_failed_assertion_is_an_exception():
    """A failed assertion that kills the process, or passes unseen."""
    with copy_target() as target:
        start_copy(target, source=0, destination=4096, beats=16, fault=FAULTS["assertion"])
        with pytest.raises(
            HardwareAssertionError, match=r"failed in cycle \d+: .*the assertion fault is set"
        ):
            target.run(100)
        target.reset()
        start_copy(target, source=0, destination=1 << 16, beats=64)
        assert target.run(20_000)


def test_register_errors():
    """An access answered with an error that looks like a value; one never answered that hangs."""
    with copy_target() as target:
        assert target.read_register(0) == IDENTITY
        write(target, scratch=0xDEADBEEF)
        assert target.read_register(4) == 0xDEADBEEF
        with pytest.raises(RegisterError, match=r"^read of register 0x800 .* AXI response 2$"):
            target.read_register(0x800)
        with pytest.raises(RegisterError, match=r"^write of register 0x804 .* AXI response 2$"):
            target.write_register(0x804, 1)
        assert target.read_register(0) == IDENTITY
        write(target, fault=FAULTS["deaf_registers"])
        with pytest.raises(
            RegisterError, match=r"^read of register 0x0 was not answered within 10"
        ):
            target.read_register(0)
        target.reset()
        assert target.read_register(0) == IDENTITY


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.read_register(2), ValueError, "offset must be a multiple of 4 .* not 2"),
        (lambda t: t.read_register(-4), ValueError, "offset must be a multiple of 4 .* not -4"),
        (lambda t: t.write_register(4, 2**32), ValueError, "value must be between 0 .* 4294967296"),
        (lambda t: t.write_register(4, -1), ValueError, "value must be between 0 .* not -1"),
        (lambda t: t.run(-1), ValueError, "max_cycles must be at least 0, not -1"),
        (lambda t: t.run(1.5), TypeError, "float"),
    ],
    ids=range(6),
)
def test_wrong_arguments(call, error, message):
    with copy_target() as target, pytest.raises(error, match=message):
        call(target)


def test_wrong_constructions(tmp_path):
    config, dram, design = preset("nano"), Dram(size_bytes=4096), copy_design(**NARROW)
    with pytest.raises(TypeError, match=r"^config must be a ChipConfig, not 'nano'$"):
        RtlTarget("nano", dram)
    with pytest.raises(TypeError, match=r"^dram must be a Dram, not None$"):
        RtlTarget(config, None)
    with pytest.raises(RtlError, match=r"^cannot write the VCD file .*missing/copy.vcd$"):
        RtlTarget(config, dram, design=design, vcd=tmp_path / "missing" / "copy.vcd")


def test_closed_target():
    """A use after close that crashes the process."""
    target = copy_target()
    target.close()
    target.close()
    for call in (target.trace, target.statistics, target.reset, lambda: target.run(1)):
        with pytest.raises(RtlError, match=r"^the target is closed; make another one$"):
            call()
    with pytest.raises(RtlError, match="closed"):
        _ = target.cycle


def test_run_can_be_interrupted():
    """A long run that ignores Ctrl-C."""
    # a shell's background job ignores it from the start
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupted_run()
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted_run():
    with copy_target() as target:
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            target.run(10**12)
        timer.join()
        assert target.cycle > 0
        start_copy(target, source=0, destination=1 << 16, beats=64)
        assert target.run(20_000)


def test_run_stops_at_the_interrupt_or_the_limit():
    """A run that goes on after the interrupt, or takes another number of cycles than asked for."""
    with copy_target() as target:
        before = target.cycle
        assert target.run(0) is False
        assert target.run(10_007) is False
        assert target.cycle == before + 10_007
        start_copy(target, source=0, destination=1 << 16, beats=64)
        assert target.run(20_000) is True
        at = target.cycle
        assert target.run(20_000) is True
        assert target.cycle == at
        write(target, done=1)
        assert target.run(100) is False


def test_trace_of_commands():
    """An event with the wrong engine, index or order; events of a time when tracing was off."""
    with copy_target(WIDE) as target:
        for round_number in range(3):
            target.set_tracing(round_number > 0)
            start_copy(target, source=0, destination=1 << 16, beats=64, engines=3)
            while target.read_register(0x28) != 3:
                target.run(100)
            write(target, done=3)
        events = target.trace()
        assert np.all(np.diff(events["cycle"].astype(np.int64)) >= 0)
        assert set(events["engine"].tolist()) == {3}
        for tile in (0, 1):
            own = events[events["tile"] == tile]
            assert own["kind"].tolist() == [0, 1, 0, 1]
            assert own["index"].tolist() == [1, 1, 2, 2]
        target.set_tracing(False)
        target.reset()
        assert len(target.trace()) == 0
