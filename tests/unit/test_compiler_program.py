"""Needs become semaphores; the checker finds programs that could hang or overflow."""

import pytest
from weft.commands import pack, unpack
from weft.compiler.check import check_program
from weft.compiler.program import SEMAPHORE_OF, Step, encode, link
from weft_hw.isa import Engine, Opcode

_L, _M, _V, _S = Engine


def _step(engine: Engine, *needs: Step, tile: tuple[int, int] = (0, 0)) -> Step:
    return Step(Opcode.NOP, tile, {"engine": engine.value}, needs)


def _nop(engine: Engine, wait: int = 0, signal: int = 0) -> bytes:
    return pack(Opcode.NOP, engine=engine, wait=wait, signal=signal)


def test_one_wait_for_one_signal():
    """A step signals although nobody waits, or two wait for one signal."""
    one, two = _step(_L), _step(_L)
    three = _step(_M, two)
    # all of these are met once `two` is done
    four, five = _step(_M, one), _step(_M, two)
    link([one, two, three, four, five])
    bit = 1 << SEMAPHORE_OF[_L, _M]
    assert [step.wait for step in (one, two, three, four, five)] == [0, 0, bit, 0, 0]
    assert [step.signal for step in (one, two, three, four, five)] == [0, bit, 0, 0, 0]


def test_own_engine_needs_nothing():
    """A step waits for its own engine, which it keeps from getting there."""
    one = _step(_L)
    two = _step(_L, one)
    link([one, two])
    assert two.wait == one.signal == 0


def test_tiles_do_not_mix():
    """A tile's step signals another tile's semaphore."""
    one = _step(_L)
    with pytest.raises(ValueError, match="earlier steps of its own tile"):
        link([one, _step(_M, one, tile=(1, 0))])


def test_needs_must_come_first():
    """A step that needs a later one is put into the ring as it is."""
    later = _step(_L)
    with pytest.raises(ValueError, match="only earlier steps"):
        link([_step(_M, later), later])


def test_encoding():
    """Masks or fields are lost on the way into bytes."""
    one = _step(_L)
    two = _step(_S, one)
    link([one, two])
    rows = [unpack(row) for row in encode([one, two])]
    assert rows[0].engine is _L
    assert rows[1].fields["wait"] == rows[0].fields["signal"] == 1 << SEMAPHORE_OF[_L, _S]


def test_check_accepts_a_good_program():
    """A program that keeps the rule is refused."""
    commands = [_nop(_L, signal=1), _nop(_M, wait=1, signal=2), _nop(_L, wait=2)]
    assert check_program(commands, balanced=True).largest_count == 1


def test_check_finds_a_wait_before_its_signal():
    """A program that can deadlock passes, because the signal comes later in the ring."""
    with pytest.raises(
        ValueError,
        match=r"command 0 \(matmul of tile \(0, 0\)\) waits for semaphore 2, which no earlier",
    ):
        check_program([_nop(_M, wait=4), _nop(_L, signal=4)])


def test_check_counts_signals():
    """One signal is thought to meet two waits."""
    with pytest.raises(ValueError, match=r"command 2 .* waits for semaphore 0"):
        check_program([_nop(_L, signal=1), _nop(_M, wait=1), _nop(_M, wait=1)])


def test_check_finds_leftovers():
    """A semaphore left at one lets the next program start too early."""
    commands = [_nop(_L, signal=8)]
    check_program(commands)
    with pytest.raises(ValueError, match=r"tile \(0, 0\) must leave semaphore 3 at 0, not 1"):
        check_program(commands, balanced=True)


def test_check_finds_overflows():
    """An engine that nobody holds back signals 256 times before the first wait."""
    pairs = [command for _ in range(256) for command in (_nop(_L, signal=1), _nop(_M, wait=1))]
    with pytest.raises(
        ValueError, match="can raise a semaphore to 256, above 255; make the engine"
    ):
        check_program(pairs)
    assert check_program(pairs[:-2]).largest_count == 255


def test_check_sees_that_engines_hold_each_other_back():
    """A long program whose engines keep in step is refused for its length."""
    commands = []
    for number in range(300):
        commands.append(_nop(_L, wait=2 if number > 3 else 0, signal=1))
        commands.append(_nop(_M, wait=1, signal=2 if number < 296 else 0))
    assert check_program(commands, balanced=True).largest_count <= 5


def test_check_lets_the_taker_lag():
    """An overflow is missed, because the engine that takes is thought to keep up."""
    commands = []
    for number in range(300):
        # matmul and vector take turns; load takes what matmul gives, whenever it comes to it
        commands.append(_nop(_M, wait=2 if number else 0, signal=1 | 4))
        commands.append(_nop(_V, wait=1, signal=2 if number < 299 else 0))
        commands.append(_nop(_L, wait=4))
    with pytest.raises(ValueError, match="can raise a semaphore to 300, above 255"):
        check_program(commands)


def _to_tile(x: int, wait: int = 0, remote: int = 0, tile: tuple[int, int] = (0, 0)) -> bytes:
    return pack(
        Opcode.STORE, tile=tile, wait=wait, to_tiles=1, x_first=x, x_last=x, remote_signal=remote
    )


def test_check_follows_signals_between_tiles():
    """A signal to another tile is counted here, or not at all."""
    wait = pack(Opcode.NOP, tile=(1, 0), engine=_M, wait=1)
    assert check_program([_to_tile(1, remote=1), wait], balanced=True).largest_count == 1
    with pytest.raises(ValueError, match=r"command 0 \(matmul of tile \(1, 0\)\) waits"):
        check_program([wait, _to_tile(1, remote=1)])
    with pytest.raises(ValueError, match=r"tile \(1, 0\) must leave semaphore 0 at 0, not 1"):
        check_program([_to_tile(1, remote=1)], balanced=True)


def test_check_finds_overflows_between_tiles():
    """A tile that is slow is signalled until its semaphore overflows."""
    wait = pack(Opcode.NOP, tile=(1, 0), engine=_M, wait=1)
    free = [command for _ in range(256) for command in (_to_tile(1, remote=1), wait)]
    with pytest.raises(ValueError, match=r"tile \(1, 0\) can raise a semaphore to 256"):
        check_program(free)
    # with credits it cannot
    held = []
    for number in range(300):
        held.append(_to_tile(1, wait=2 if number > 1 else 0, remote=1))
        held.append(pack(Opcode.NOP, tile=(1, 0), engine=_M, wait=1, signal=4))
        held.append(_to_tile(0, wait=4, remote=2 if number < 298 else 0, tile=(1, 0)))
    assert check_program(held, balanced=True).largest_count <= 3


def test_check_refuses_unknown_opcodes():
    """Bytes that are no command pass as a program."""
    with pytest.raises(ValueError, match=r"command 1 has no known opcode: UNKNOWN\(0x63\)"):
        check_program([_nop(_L), bytes([99]) + bytes(63)])


def test_debug_devices_check_what_they_are_given():
    """A device in debug mode runs a program that hangs."""
    from weft import Device
    from weft_sim.dram import Dram

    with (
        Device("model", "nano", dram=Dram(size_bytes=1 << 20), debug=True) as device,
        pytest.raises(ValueError, match=r"command 0 .* waits for semaphore 5"),
    ):
        device.submit([_nop(_V, wait=1 << 5)])
