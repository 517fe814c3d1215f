"""Shared operands, whatever the timing: engines and network are as quick or slow as they like, and
the array finds what it finds when commands run one after the other.
"""

import random
from collections import defaultdict, deque

import numpy as np
import pytest
from weft.commands import Command, unpack
from weft.compiler.plan import plan_gemm
from weft.compiler.task import GemmTask
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram

_Tile = tuple[int, int]


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(16) if mask >> bit & 1]


class _Machine:
    """Tiles whose scratchpad rows hold the address that they were loaded from."""

    def __init__(self, commands: list[Command], row_bytes: int) -> None:
        self.row_bytes = row_bytes
        self.rows: dict[_Tile, dict[int, int]] = defaultdict(dict)
        self.counts: dict[tuple[_Tile, int], int] = defaultdict(int)
        self.queues: dict[object, deque[Command]] = defaultdict(deque)
        #: from a tile to a tile: rows and signals, in order
        self.wires: dict[tuple[_Tile, _Tile], deque[tuple[dict[int, int], list[int]]]]
        self.wires = defaultdict(deque)
        #: commands that have begun
        self.running: dict[object, Command] = {}
        self.found: dict[int, list[object]] = defaultdict(list)
        self.order = {id(command): number for number, command in enumerate(commands)}
        for command in commands:
            self.queues[command.tile, command.engine].append(command)

    def moves(self) -> list[tuple[str, object]]:
        """What can happen next."""
        ready = [("end", one) for one in self.running]
        ready += [("deliver", wire) for wire, packets in self.wires.items() if packets]
        for one, queue in self.queues.items():
            if queue and one not in self.running:
                wait = _bits(queue[0].fields["wait"])
                if all(self.counts[queue[0].tile, bit] for bit in wait):
                    ready.append(("begin", one))
        return ready

    def move(self, kind: str, one: object) -> None:
        if kind == "deliver":
            self._deliver(one)
        elif kind == "begin":
            command = self.running[one] = self.queues[one].popleft()
            for bit in _bits(command.fields["wait"]):
                self.counts[command.tile, bit] -= 1
            if command.opcode is Opcode.MATMUL:
                self._look(command)
            if command.opcode is Opcode.STORE and command.fields["to_tiles"]:
                self._send(command)
        else:
            command = self.running[one]
            if any(packets and wire[0] == command.tile for wire, packets in self.wires.items()):
                # a store ends when all is written
                if command.opcode is Opcode.STORE:
                    return
            del self.running[one]
            if command.opcode is Opcode.MATMUL:
                # nothing was replaced meanwhile
                self._look(command)
            if command.opcode is Opcode.LOAD:
                self._load(command)
            for bit in _bits(command.fields["signal"]):
                self.counts[command.tile, bit] += 1

    def _deliver(self, wire) -> None:
        rows, signals = self.wires[wire].popleft()
        self.rows[wire[1]].update(rows)
        for bit in signals:
            self.counts[wire[1], bit] += 1

    def _load(self, command: Command) -> None:
        fields = command.fields
        for row in range(fields["rows"]):
            for at in range(-(-fields["row_bytes"] // self.row_bytes)):
                place = fields["local_row"] + row * fields["local_stride"] + at
                address = fields["memory_address"] + row * fields["memory_stride"]
                self.rows[command.tile][place] = address + at * self.row_bytes

    def _send(self, command: Command) -> None:
        fields, mine = command.fields, self.rows[command.tile]
        rows = {
            fields["remote_row"] + row: mine[fields["local_row"] + row]
            for row in range(fields["rows"])
        }
        for y in range(fields["y_first"], fields["y_last"] + 1):
            for x in range(fields["x_first"], fields["x_last"] + 1):
                packet = rows, _bits(fields["remote_signal"])
                self.wires[command.tile, (x, y)].append(packet)

    def _look(self, command: Command) -> None:
        """Where the operands come from; rows of units of two (bf16 is built in)."""
        fields, mine = command.fields, self.rows[command.tile]
        units = [fields["a_row"] + row * fields["a_stride"] for row in range(fields["m"])]
        units += [fields["w_row"] + row * fields["w_stride"] for row in range(fields["k"])]
        self.found[self.order[id(command)]].append([mine.get(unit // 2) for unit in units])


@pytest.mark.parametrize(
    ("name", "k", "seed"), [("quad", 640, 0), ("quad", 640, 1), ("mesh16", 128, 2)]
)
def test_operands_whatever_the_timing(name, k, seed):
    """A tile goes on when another piece arrives than the one it needs, or is sent one it still
    reads from.
    """
    config = preset(name)
    mesh = config.mesh
    task = GemmTask(
        m=32 * mesh.rows, k=k, n=32 * mesh.cols, a_address=0, b_address=1 << 30,
        out_address=2 << 30, out_format=Format.INT32,
    )  # fmt: skip
    plan = plan_gemm(config, task, Dram(bytes_per_cycle=2))
    assert plan.sharing.sides == 2
    commands = [unpack(row) for row in plan.commands]
    in_order = _Machine(commands, config.tile.row_bytes)
    for command in commands:
        one = command.tile, command.engine
        in_order.move("begin", one)
        while any(in_order.wires.values()):
            in_order.move("deliver", next(w for w, p in in_order.wires.items() if p))
        in_order.move("end", one)
    choice = random.Random(seed)
    anyhow = _Machine(commands, config.tile.row_bytes)
    # some tiles, engines and wires are much slower than others
    speeds = np.random.default_rng(seed).permutation(97)
    while moves := anyhow.moves():
        weights = [float(4.0 ** (speeds[hash(move) % 97] % 6)) for move in moves]
        anyhow.move(*choice.choices(moves, weights)[0])
    assert not any(anyhow.queues.values())
    assert anyhow.found == in_order.found
    assert all(None not in seen for looks in in_order.found.values() for seen in looks)
