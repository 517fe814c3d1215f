"""Who waits on whom: a device's engines and semaphores at the moment nothing moved any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from weft_hw.config import ChipConfig
from weft_hw.control.registers import PROBE_WORDS
from weft_hw.isa import Engine, Opcode
from weft_sim.target import Target

from .commands import Command, unpack
from .disasm import command_text
from .event import Event
from .registers import Registers

__all__ = ["EngineState", "HangReport", "TileState", "hang_report", "probe"]

_STATES = ("idle", "waiting", "running")
_IDLE, _WAITING, _RUNNING = range(3)
#: Cycles a probe may take to cross the largest mesh, with a wide margin.
_PROBE_CYCLES = 20_000


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine. ``index`` is the ring index of its command; ``unmet`` the semaphores it lacks."""

    engine: Engine
    state: str
    unmet: tuple[int, ...]
    index: int
    command: str


@dataclass(frozen=True, slots=True)
class TileState:
    """One tile: its engines and its semaphores' counts."""

    tile: tuple[int, int]
    engines: tuple[EngineState, ...]
    semaphores: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HangReport:
    """State of the device. ``str()`` gives it as text, one finding a line."""

    cycle: int
    in_flight: int
    head: int
    tail: int
    tiles: tuple[TileState, ...]
    findings: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        head = (
            f"cycle {self.cycle}: {self.in_flight} commands in flight, "
            f"{self.head} of {self.tail} fetched"
        )
        return "\n".join((head, *self.findings))


def probe(
    target: Target, registers: Registers, tile: tuple[int, int], page: int
) -> tuple[int, ...] | None:
    """The 16 words of a page of a tile's register space, or None if the tile does not answer."""
    registers.write("PROBE", tile[0] | tile[1] << 4 | page << 8)
    waited = 0
    while not registers.read("PROBE_VALID"):
        if waited > _PROBE_CYCLES:
            return None
        before = target.cycle
        # run() comes back at once while the interrupt is high; register reads take cycles too
        target.run(16)
        waited += max(1, target.cycle - before)
    return tuple(registers.read(f"PROBE_DATA_{word}") for word in range(PROBE_WORDS))


def hang_report(
    target: Target, registers: Registers, config: ChipConfig, pending: Iterable[Event]
) -> HangReport:
    """Probes every tile and explains each engine that waits."""
    head, tail = registers.read("HEAD"), registers.read("TAIL")
    commands = {
        (event.first_index + number) & 0xFFFF_FFFF: unpack(row)
        for event in pending
        for number, row in enumerate(event.commands)
    }
    tiles, findings = [], []
    for y in range(config.mesh.rows):
        for x in range(config.mesh.cols):
            words = probe(target, registers, (x, y), 0)
            if words is None:
                findings.append(f"tile ({x},{y}) does not answer")
                continue
            state = _tile_state((x, y), words, commands)
            tiles.append(state)
            findings += _explain(state, commands, head)
    if not any("waits for" in finding for finding in findings):
        findings.append("no engine waits for a semaphore: memory does not answer or work is slow")
    return HangReport(
        cycle=target.cycle,
        in_flight=registers.read("IN_FLIGHT"),
        head=head,
        tail=tail,
        tiles=tuple(tiles),
        findings=tuple(findings),
    )


def _tile_state(
    tile: tuple[int, int], words: tuple[int, ...], commands: dict[int, Command]
) -> TileState:
    engines = []
    for engine in Engine:
        word, index = words[2 * engine.value], words[2 * engine.value + 1]
        text = command_text(commands[index]) if index in commands else ""
        mask = word >> 16
        unmet = tuple(bit for bit in range(16) if mask >> bit & 1)
        engines.append(EngineState(engine, _STATES[min(word & 3, _RUNNING)], unmet, index, text))
    counts = tuple(words[8 + bit // 4] >> 8 * (bit % 4) & 0xFF for bit in range(16))
    return TileState(tile, tuple(engines), counts)


def _explain(state: TileState, commands: dict[int, Command], head: int) -> list[str]:
    lines = []
    where = f"tile ({state.tile[0]},{state.tile[1]})"
    for engine in state.engines:
        name = engine.engine.name.lower()
        if engine.state == _STATES[_RUNNING]:
            lines.append(f"{where} {name} runs command {engine.index}: {engine.command}")
        if engine.state != _STATES[_WAITING]:
            continue
        for semaphore in engine.unmet:
            lines.append(
                f"{where} {name} waits for semaphore {semaphore}, command {engine.index}; "
                f"{_signaller(state, commands, engine.engine, semaphore, head)}"
            )
    return lines


def _signaller(
    state: TileState, commands: dict[int, Command], waiting: Engine, semaphore: int, head: int
) -> str:
    """Who could still signal a semaphore: the oldest unfinished command of another engine that
    would.
    """
    current = {
        engine.engine: engine.index for engine in state.engines if engine.state != _STATES[_IDLE]
    }
    for index, command in commands.items():
        if command.opcode is Opcode.FENCE or command.tile != state.tile:
            continue
        # what stands behind the waiting command in its own engine cannot help it
        if not command.fields["signal"] >> semaphore & 1 or command.engine in (None, waiting):
            continue
        # an idle engine has finished all it was given; what it was not given waits in the ring
        unfinished = index >= current.get(command.engine, head)
        if unfinished and index < head:
            return f"command {index} ({command.engine.name.lower()}) will signal it"
        if unfinished:
            return f"command {index}, which will signal it, is still in the ring"
    return "nobody in flight signals it"
