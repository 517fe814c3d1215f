"""Transfers of a chip with one tile: what has happened once in given circumstances is known.

With one tile nothing but its two DMA engines, its memory endpoint and the links between them takes
part in a transfer. From a cycle in which all of them are idle, what happens is a function of the
commands that begin and of their cycles relative to that one; so the cycles in which decoders become
free and commands end are kept in a tree whose edges are commands with their relative cycles.
Commands that have been met in the same way before cost nothing. Loads alone are worked out in a
line of numbers each (``load_line``). Otherwise the machine itself runs, event by event, on a clock
of its own (``ModelTarget.dma_events``): from the idle cycle on, as fast as it can, then in step
with the rest of the chip, and what it does is kept in the tree.

Bytes are moved and counted when a command ends, whichever way that is found out.
"""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING, Any

from .idle_state import counts, restore_counts, restore_turns, turns
from .load_line import LoadLine
from .timing import TIMING

if TYPE_CHECKING:
    from .engines.dma import DmaEngine
    from .engines.job import Job
    from .engines.traffic import BlockRun
    from .target import ModelTarget

__all__ = ["ENDED", "FREED", "Transfers"]

FREED, ENDED = 0, 1
#: Nodes kept for all chips of the process; beyond them nothing more is learnt.
_MOST_NODES = 20_000
_NEVER = math.inf

#: (cycle since the idle one, FREED or ENDED, number of the command, last write response or 0)
_Output = tuple[int, int, int, int]


class _Node:
    """What is known after some commands: ``outputs`` are complete before cycle ``known``."""

    __slots__ = ("children", "end", "known", "line", "outputs")

    def __init__(self) -> None:
        self.children: dict[Any, _Node] = {}
        self.outputs: list[_Output] = []
        self.known: float = 0
        #: whose turn it is everywhere once all is idle again
        self.end: tuple[Any, ...] | None = None
        self.line: LoadLine | None = None


_ROOTS: dict[Any, _Node] = {}
_nodes = 0


def _node() -> _Node:
    global _nodes
    _nodes += 1
    return _Node()


class Transfers:
    """Stands between the DMA engines of the only tile and the rest of it."""

    def __init__(self, chip: ModelTarget) -> None:
        self.chip = chip
        self.inner = chip.dma_events
        dram, config = chip.dram, chip.config
        tile, mesh = config.tile, config.mesh
        self._kind = (
            config.flit_bytes, mesh.max_packet_bytes, mesh.router_fifo_depth, tile.load_requests,
            tile.store_requests, tile.command_queue_depth, config.host.address_bits,
            dram.latency_cycles, dram.bytes_per_cycle,
        )  # fmt: skip
        self._inside = 0
        self._live = False
        self._learns = False
        self._start = 0
        self._epoch = 0
        self._node = _Node()
        self._edge: tuple[_Node, Any] | None = None
        self._inputs: list[tuple[int, DmaEngine, Job]] = []
        self._given = self._found = 0
        #: of each load in a line of numbers that line, and how many have told their writes
        self._lines: list[LoadLine] = []
        self._told = 0
        self._before: tuple[int, ...] = ()

    # --- commands in --------------------------------------------------------------------------

    def begin(self, engine: DmaEngine, job: Job) -> None:
        """A command begins in this cycle."""
        now = self.chip.events.now
        if not self._inside:
            self._start = now
            self._inputs = []
            self._given = self._found = self._told = 0
            self._lines = []
            self._live = False
            self._learns = _nodes < _MOST_NODES
            self._before = counts(self.chip)
            self._edge = None
            root = (self._kind, turns(self.chip))
            if root not in _ROOTS:
                _ROOTS[root] = _node()
                _ROOTS[root].line = LoadLine(self.chip)
            self._node = _ROOTS[root]
        self._inside += 1
        job.number = len(self._inputs)
        self._inputs.append((now, engine, job))
        signature = engine.signature(job)
        if signature is None or (self._live and not self._learns):
            self._forget()
            if self._live:
                self.inner.now = now
                engine.go(job)
            else:
                self._go_live()
            return
        key = now - self._start, signature
        child = self._node.children.get(key)
        if self._live:
            # the record goes on under the new node
            child = self._grow(key)
            child.outputs = self._node.outputs
            self._node.outputs = list(child.outputs)
            self._node.known = max(self._node.known, key[0])
            self._node = child
            self.inner.now = now
            engine.go(job)
            return
        if child is None:
            parent = self._node
            child = self._grow(key)
            if parent.line is None or not engine.is_load:
                self._node = child
                self._go_live()
                return
            child.line = parent.line.copy()
            child.outputs = list(parent.outputs)
            for output in child.line.run(signature[1], key[0], job.number):
                insort(child.outputs, output)
            child.known = _NEVER
            child.end = child.line.turns
        self._node = child
        if child.line is not None:
            self._lines.append(child.line)
        self._expect()

    def _grow(self, key: Any) -> _Node:
        child = _node()
        if self._learns:
            self._node.children[key] = child
            self._edge = self._node, key
        return child

    def _forget(self) -> None:
        """What happens now is no function of commands and cycles alone."""
        self._learns = False
        if self._edge is not None and self._node.known is not _NEVER:
            parent, key = self._edge
            parent.children.pop(key, None)
        self._edge = None
        self._node = _Node()

    # --- known -----------------------------------------------------------------------------

    def _expect(self) -> None:
        """Waits for what comes next."""
        self._epoch += 1
        node, events = self._node, self.chip.events
        if self._given < len(node.outputs):
            events.at(self._start + node.outputs[self._given][0], self._give, self._epoch)
        elif node.known is not _NEVER:
            events.late(self._start + int(node.known), self._know_no_more, self._epoch)

    def _give(self, epoch: int) -> None:
        if epoch != self._epoch:
            return
        _, kind, number, response = self._node.outputs[self._given]
        self._given += 1
        self._expect()
        _, engine, job = self._inputs[number]
        if kind == FREED:
            engine.freed()
            return
        engine.count_all(job)
        if response:
            key = "last_write_response_cycle"
            self.chip.counts[key] = max(self.chip.counts[key], self._start + response)
        self._ended(engine, job)

    def _know_no_more(self, epoch: int) -> None:
        if epoch == self._epoch:
            self._go_live()

    def _ended(self, engine: DmaEngine, job: Job) -> None:
        self._inside -= 1
        if not self._inside:
            self._epoch += 1
            if self._live:
                self._live = False
                if self._learns:
                    self._node.known = _NEVER
                    self._node.end = turns(self.chip)
            else:
                assert self._node.end is not None
                restore_turns(self.chip, self._node.end)
        engine.end(job)

    # --- live ---------------------------------------------------------------------------------

    def _go_live(self) -> None:
        """The machine does again what it has done since the idle cycle, and goes on from there."""
        self._epoch += 1
        inner, now = self.inner, self.chip.events.now
        restore_counts(self.chip, self._before)
        self._found = 0
        self._node.outputs = []
        self._node.known = 0
        self._node.end = None
        inner.now = self._start
        self.chip.tiles[0].load_writes.clear()
        for cycle, engine, job in self._inputs:
            if cycle == now:
                inner.run(now - 1)
                self._live = True
            # a decoder that becomes free in a cycle can take a command in the same
            inner.run(cycle)
            inner.now = cycle
            engine.go(job)
        if not self._live:
            inner.run(now - 1)
            inner.now = now
            self._live = True

    def found(self, engine: DmaEngine, kind: int, job: Job) -> None:
        """The machine has freed a decoder or ended a command."""
        if self._learns:
            response = 0
            if kind == ENDED and not engine.is_load:
                response = self.chip.counts["last_write_response_cycle"] - self._start
            cycle = self.inner.now - self._start
            self._node.outputs.append((cycle, kind, job.number, response))
        self._found += 1
        if self._found <= self._given:
            return
        self._given += 1
        if kind == FREED:
            engine.freed()
        else:
            self._ended(engine, job)

    def stop(self) -> None:
        """Commands are aborted: from now on event by event."""
        if self._inside:
            self._forget()
            if not self._live:
                self._go_live()
            self.inner.now = self.chip.events.now

    def array_reads(self, run: BlockRun) -> None:
        """The array will read the scratchpad."""
        self.others_read(run.pad_banks)

    def others_read(self, banks: int) -> None:
        """The scratchpad will be read in ``banks``: stores that meet that are on their own."""
        if not self._inside or (self._live and not self._learns):
            return
        for _, engine, job in self._inputs:
            if not engine.is_load and job.banks(engine.tile.scratchpad) & banks:
                self._forget()
                if not self._live:
                    self._go_live()
                return

    def tell_writes(self) -> bool:
        """Tells when loads write their rows, unless the machine does so itself; whether it does."""
        if self._live or not self._inside:
            return self._live
        if self._node.line is None:
            self._go_live()
            return True
        writes = self.chip.tiles[0].load_writes
        for line, (_, _, job) in zip(
            self._lines[self._told :], self._inputs[self._told :], strict=True
        ):
            assert job.walk is not None
            # the last flit arrives a hop later, and is written in the cycle after
            after = self._start + TIMING.hop_cycles + 2
            if line.responses[-1] + after > writes.wanted_from:
                for request, last in zip(job.walk, line.responses, strict=True):
                    writes.add(last + after - request.flits, request.row, request.flits)
        self._told = len(self._inputs)
        return False
