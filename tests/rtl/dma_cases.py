"""Cases that both DMA engines must stand: commands of all sizes, faults, errors of the memory, and
aborts at any time."""

from collections.abc import Callable, Iterable
from typing import Any

from harness_dma import Command, check_ends, check_requests, ends_of, span
from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode, Status

__all__ = [
    "check_aborts",
    "check_cut_short",
    "check_errors",
    "check_faults",
    "commands_of_all_sizes",
]

_COMMANDS = 5
_ROWS = 30


def commands_of_all_sizes(config: ChipConfig) -> list[Command]:
    """Rows around flit and packet, linear and with gaps on either side, at any alignment."""
    flit, packet = config.flit_bytes, config.mesh.max_packet_bytes
    around = [size + more for size in (flit, packet) for more in (-1, 0, 1)]
    commands: list[Command] = []
    row = 0
    for size in (1, *around, 3 * packet, 3 * packet + 5):
        # (memory stride less size, local stride less flits)
        for gap, local_gap in ((0, 0), (3, 0), (0, 1)):
            command = Command(
                memory_address=0x12345 + (len(commands) << 16) + 13 * row,
                memory_stride=size + gap,
                row_bytes=size,
                rows=3 if size < packet else 2,
                local_row=row,
                local_stride=-(-size // flit) + local_gap,
                endpoint=len(commands) % config.mesh.memory_endpoints,
                index=len(commands),
            )
            row += span(config, command)
            commands.append(command)
    assert row <= config.tile.scratchpad_rows
    return commands


async def check_faults(setup: Any, bad: list[Command], good: list[Command]) -> None:
    """Each of ``bad`` ends as its definition says, and the command of ``good`` behind it well."""
    commands = [command for pair in zip(bad, good, strict=True) for command in pair]
    await setup.run(commands)
    want = ends_of(setup.config, commands)
    assert sum(status is not Status.OK for status, _ in want) == len(bad)
    check_ends(setup.done, commands, want)
    check_requests(setup.config, setup.memory, commands)


async def check_errors(
    setup: Any,
    commands: list[Command],
    wrong: dict[int, Status],
    want: list[tuple[Status, int | None]],
    most_in_flight: int,
) -> None:
    """Each command ends as ``want`` says where requests at the addresses ``wrong`` fail, soon after
    the first that does; what did not fail is counted.
    """
    setup.memory.answer = lambda request: wrong.get(request.header["address"], Status.OK)
    await setup.run(commands)
    check_ends(setup.done, commands, want)
    good = [r for r in setup.memory.requests if r.header["address"] not in wrong]
    assert setup.counted_bytes == sum(r.header["length"] for r in good)
    # what a failed command asked for after its error was in flight before the error came
    for command, (status, address) in zip(commands, want, strict=True):
        if status is not Status.OK:
            asked = [
                r.header["address"]
                for r in setup.memory.requests
                if r.header["address"] >> 24 == command.memory_address >> 24
            ]
            assert asked == sorted(asked)
            assert sum(a > address for a in asked) <= most_in_flight + 1


def check_cut_short(ends: list[dict[str, Any]]) -> None:
    """Once a command is cut short none after it runs."""
    order = [end["status"] for end in ends]
    assert order == sorted(order, key=lambda status: status.value)
    assert set(order) <= {Status.OK, Status.ABORTED}


async def check_aborts(
    setup: Any, opcode: Opcode, delays: Iterable[int], is_idle: Callable[[], bool]
) -> None:
    """Commands aborted after each delay in cycles: all end, in order, and nothing is left."""
    abort, first = setup.bench.port("engine__abort"), 0
    for delay in delays:
        commands = [
            Command(memory_address=i << 24, memory_stride=64, row_bytes=33, rows=_ROWS, index=i)
            for i in range(first, first + _COMMANDS)
        ]
        first += _COMMANDS
        setup.commands.send(*[command.bits(opcode) for command in commands])
        await setup.bench.cycles(delay + int(setup.bench.rng.integers(3)))
        abort.value = 1
        assert len(setup.done.raw) < first
        await setup.done.take(first, cycles=1000)
        await setup.bench.cycles(3)
        assert not setup.bench.port("busy").value
        assert not setup.memory.in_flight
        assert is_idle()
        kept = setup.done.items[-_COMMANDS:]
        assert [end["index"] for end in kept] == [command.index for command in commands]
        check_cut_short(kept)
        assert kept[-1]["status"] is Status.ABORTED
        assert len(setup.memory.requests) < first * _ROWS
        abort.value = 0
    await setup.run([Command(memory_address=5, row_bytes=300, local_row=9, index=999)], cycles=4000)
    assert setup.done.items[-1]["status"] is Status.OK
