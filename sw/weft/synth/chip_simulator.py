"""A chip in Amaranth's simulator behind the driver, with the values of its components' ports kept
cycle by cycle: slow, and short programs only, but every port of every component can be seen.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_sim.dram import Dram

__all__ = ["ChipInSimulator"]

_MEMORY_BYTES = 1 << 20


class ChipInSimulator:
    """What the driver needs of a ``weft_sim.target.Target``, on Amaranth's simulator; it keeps the
    values of every port of the components of the classes ``watched`` in every cycle.

    Memory answers ``latency_cycles`` after a burst's address; every channel moves a beat a cycle.
    """

    def __init__(
        self, config: ChipConfig, watched: tuple[type, ...], latency_cycles: int = 20
    ) -> None:
        from amaranth.hdl import Fragment
        from amaranth.sim import Simulator
        from weft_hw.chip import Chip

        self.config = config
        self.dram = Dram(size_bytes=_MEMORY_BYTES, latency_cycles=latency_cycles)
        self.memory = np.zeros(_MEMORY_BYTES, np.uint8)
        self.cycle = 0
        self.interrupt = False
        self._chip = Chip(config)
        fragment = Fragment.get(self._chip, None)
        self.components: dict[type, Any] = {
            type(part): part for part in _parts(fragment) if isinstance(part, watched)
        }
        self._ports = {
            kind: {
                "__".join(map(str, path)): (value, member.flow.name)
                for path, member, value in part.signature.flatten(part)
            }
            for kind, part in self.components.items()
        }
        self.record: dict[type, list[dict[str, int]]] = {kind: [] for kind in self.components}
        self._managers = [
            _Memory(port, self.memory, config.flit_bytes, latency_cycles)
            for port in (*self._chip.memory, self._chip.host)
        ]
        self._register: tuple[int, int | None] | None = None
        self._answer = 0
        self._stop = False
        self._simulator = Simulator(fragment)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._run)

    async def _run(self, ctx: Any) -> None:
        registers, state = self._chip.registers, "idle"
        for signal in (registers.bready, registers.rready):
            ctx.set(signal, 1)
        while not self._stop:
            if state == "idle" and self._register is not None:
                offset, value = self._register
                if value is None:
                    ctx.set(registers.araddr, offset)
                    ctx.set(registers.arvalid, 1)
                else:
                    ctx.set(registers.awaddr, offset)
                    ctx.set(registers.wdata, value)
                    ctx.set(registers.wstrb, 15)
                    ctx.set(registers.awvalid, 1)
                    ctx.set(registers.wvalid, 1)
                state = "asked"
            for manager in self._managers:
                manager.drive(ctx, self.cycle)
            taken = {
                name: ctx.get(getattr(registers, f"{name}valid"))
                and ctx.get(getattr(registers, f"{name}ready"))
                for name in ("aw", "w", "ar", "b", "r")
            }
            if taken["r"]:
                self._answer = ctx.get(registers.rdata)
            for manager in self._managers:
                manager.take(ctx, self.cycle)
            for kind, ports in self._ports.items():
                self.record[kind].append(
                    {name: _raw(ctx.get(value)) for name, (value, _) in ports.items()}
                )
            self.interrupt = bool(ctx.get(self._chip.interrupt))
            await ctx.tick()
            self.cycle += 1
            for name in ("aw", "w", "ar"):
                if taken[name]:
                    ctx.set(getattr(registers, f"{name}valid"), 0)
            if taken["b"] or taken["r"]:
                self._register, state = None, "idle"

    def _advance(self) -> None:
        before = self.cycle
        while self.cycle == before:
            self._simulator.advance()

    def read_register(self, offset: int) -> int:
        """A register read."""
        self._register = (offset, None)
        while self._register is not None:
            self._advance()
        return self._answer

    def write_register(self, offset: int, value: int) -> None:
        """A register write."""
        self._register = (offset, int(value))
        while self._register is not None:
            self._advance()

    def run(self, max_cycles: int) -> bool:
        """Until the interrupt or for so many cycles."""
        end = self.cycle + max_cycles
        while self.cycle < end and not self.interrupt:
            self._advance()
        return self.interrupt

    def set_tracing(self, enabled: bool) -> None:
        """Not kept here."""

    def close(self) -> None:
        """Nothing to free."""

    def bits(self, kind: type, flow: str = "") -> dict[str, np.ndarray]:
        """Bits (cycles, width) bool of every port of a component, by name; only those of a
        direction, "In" or "Out", if one is named."""
        found = {}
        for name, (value, direction) in self._ports[kind].items():
            if flow not in ("", direction):
                continue
            width = len(_cast(value))
            size = -(-width // 8)
            kept = (row[name] & ((1 << width) - 1) for row in self.record[kind])
            raw = b"".join(number.to_bytes(size, "little") for number in kept)
            packed = np.frombuffer(raw, np.uint8).reshape(-1, size)
            found[name] = np.unpackbits(packed, axis=1, bitorder="little")[:, :width].astype(bool)
        return found


def _cast(value: Any) -> Any:
    from amaranth.hdl import Value

    return Value.cast(value)


def _raw(value: Any) -> int:
    """What the simulator gives for a port, as an unsigned integer of unknown width."""
    from amaranth.lib import data

    if isinstance(value, data.Const):
        return int(value.as_bits())
    return int(value)


def _parts(fragment: Any) -> list[Any]:
    """The elaboratables that a fragment and those below it came from."""
    found = list(fragment.origins or ())
    for below, *_ in fragment.subfragments:
        found += _parts(below)
    return found


class _Memory:
    """The memory behind one AXI4 manager."""

    def __init__(self, port: Any, memory: np.ndarray, beat_bytes: int, latency: int) -> None:
        self._port, self._memory = port, memory
        self._bytes, self._latency = beat_bytes, latency
        self._reads: deque[tuple[int, int, bool]] = deque()
        self._writes: deque[int] = deque()
        self._answers: deque[int] = deque()
        self._offered = {"r": False, "b": False}

    def drive(self, ctx: Any, cycle: int) -> None:
        """Before the edge: what memory offers in this cycle."""
        port = self._port
        for name in ("awready", "arready"):
            ctx.set(getattr(port, name), 1)
        ctx.set(port.wready, int(bool(self._writes)))
        reads = bool(self._reads) and self._reads[0][0] <= cycle
        if reads:
            _, address, last = self._reads[0]
            ctx.set(port.rdata, int.from_bytes(self._row(address).tobytes(), "little"))
            ctx.set(port.rlast, int(last))
        ctx.set(port.rvalid, int(reads))
        ctx.set(port.bvalid, int(bool(self._answers) and self._answers[0] <= cycle))

    def _row(self, address: int) -> np.ndarray:
        base = address // self._bytes * self._bytes
        return self._memory[base : base + self._bytes]

    def take(self, ctx: Any, cycle: int) -> None:
        """The handshakes of this cycle."""
        port = self._port

        def moves(name: str) -> bool:
            pair = (getattr(port, f"{name}valid"), getattr(port, f"{name}ready"))
            return all(ctx.get(signal) for signal in pair)

        if moves("r"):
            self._reads.popleft()
        if moves("b"):
            self._answers.popleft()
        if moves("w"):
            row = self._row(self._writes.popleft())
            data = ctx.get(port.wdata).to_bytes(self._bytes, "little")
            strobes = ctx.get(port.wstrb)
            for index in range(self._bytes):
                if strobes >> index & 1:
                    row[index] = data[index]
            if ctx.get(port.wlast):
                self._answers.append(cycle + self._latency)
        if moves("ar"):
            beats = ctx.get(port.arlen) + 1
            first = cycle + self._latency
            if self._reads:
                first = max(first, self._reads[-1][0] + 1)
            self._reads.extend(
                (first + beat, ctx.get(port.araddr) + beat * self._bytes, beat + 1 == beats)
                for beat in range(beats)
            )
        if moves("aw"):
            self._writes.extend(
                ctx.get(port.awaddr) + beat * self._bytes for beat in range(ctx.get(port.awlen) + 1)
            )
