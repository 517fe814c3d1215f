"""The address generator of stores to tiles: from a command to its packets.

```
 command --> s0 (fields) --> s1 (product's halves) --> s2 (counters, range check) --> access
```

A packet holds at most ``tile_packet_rows`` scratchpad rows. Rows of a command that follow each
other without a gap on both sides (``row_bytes`` a multiple of a scratchpad row and both strides
``row_bytes / scratchpad row``) are one run of scratchpad rows, cut into packets; otherwise every
row is a run of its own. A command with ``rows = 0`` is one packet without rows.

A packet that touches a row beyond the scratchpad, here or there (all tiles have the same), is not
made: it becomes the last access of its walk, with a status in place of a request.

Latency: command taken in cycle t, first access offered in t + 4. Throughput: an access a cycle; a
command every 3 cycles and one for each of its accesses.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import CommandWord, Status, StoreCommand
from ..noc.tile_packet import TO_TILES, Rectangle, tile_packet_rows

__all__ = ["TileAccess", "TileWalk"]


class TileAccess(data.StructLayout):
    """One packet, or the reason why there is none.

    If ``status`` is OK: ``rows`` scratchpad rows from ``row`` on, of the last of them the first
    ``tail_less_one + 1`` bytes, to ``remote_row`` on of the ``tiles`` tiles of ``rectangle``, which
    then give ``signal``. Otherwise no request is made, ``remote_row`` is the first scratchpad row
    beyond the end (LOCAL_RANGE) or 0, and ``last`` is set. ``last`` ends the command.
    """

    def __init__(self, config):
        super().__init__({
            "status": Status,
            "last": unsigned(1),
            "rectangle": Rectangle,
            "tiles": unsigned(9),
            "signal": unsigned(16),
            "rows": range(tile_packet_rows(config) + 1),
            "tail_less_one": range(config.flit_bytes),
            "row": range(config.tile.scratchpad_rows),
            "remote_row": unsigned(32),
        })


class _Side:
    """One side of a walk: where the packet in hand begins, where its run began, to the next run."""

    def __init__(self, name, *, rows):
        self.inside_bits = ceil_log2(rows)
        self.here = Signal(32, name=f"s2_{name}")
        self.start = Signal(32, name=f"s2_{name}_start")
        self.stride = Signal(16, name=f"s2_{name}_stride")
        self.begins_outside, self.is_outside = Signal(), Signal()
        self.beyond = Signal(32)

    def check(self, rows):
        """Whether the packet of ``rows`` begins outside, whether it touches what is outside, and
        the first row there.
        """
        end = self.here[:self.inside_bits] + rows - 1
        return [
            self.begins_outside.eq(self.here[self.inside_bits:].any()),
            self.is_outside.eq(self.begins_outside | end[self.inside_bits:].any()),
            self.beyond.eq(Mux(self.begins_outside, self.here, 1 << self.inside_bits)),
        ]

    def load(self, first, stride):
        return [self.here.eq(first), self.start.eq(first), self.stride.eq(stride)]

    def step(self, run_ends, rows):
        """On to the next packet, or with ``run_ends`` to the next run."""
        begin = (Mux(run_ends, self.start, self.here) + Mux(run_ends, self.stride, rows))[:32]
        return [self.here.eq(begin), self.start.eq(Mux(run_ends, begin, self.start))]


class TileWalk(wiring.Component):
    """Commands to accesses.

    Members
    -------
    command : In(stream.Signature(CommandWord))
        STORE with ``to_tiles``; neither is looked at
    access : Out(stream.Signature(TileAccess))
    faulty : Out(1)
        its status is not OK
    stop : In(1)
        ends the walk in progress: its next access has status ABORTED and is its last
    ended : Out(1)
        pulse: the last access of a walk is made
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "command": In(stream.Signature(CommandWord)),
            "access": Out(stream.Signature(TileAccess(config))),
            "faulty": Out(1),
            "stop": In(1),
            "ended": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        mesh, scratchpad_rows = self.config.mesh, self.config.tile.scratchpad_rows
        flit_bits = ceil_log2(self.config.flit_bytes)
        packet_rows = tile_packet_rows(self.config)
        size = StoreCommand.as_shape().size
        command = data.View(StoreCommand, self.command.payload.bits[:size])
        access, made = self.access.payload, Signal(TileAccess(self.config))
        status = Signal.like(made.status)

        # s0: fields that the first two cycles use; the others wait where s2 will use them
        area = Signal(Rectangle)
        count_less_one, columns, lines = Signal(16), Signal(5), Signal(5)
        row_rows_less_one = Signal(16 - flit_bits)
        row_rows = Signal(17 - flit_bits)
        nothing, illegal, outside, whole = (Signal() for _ in range(4))
        tail_less_one, signal = Signal(flit_bits), Signal(16)
        local = _Side("local", rows=scratchpad_rows)
        remote = _Side("remote", rows=scratchpad_rows)
        # s1: halves of rows * row_rows = (rows - 1) * row_rows + row_rows
        low, high = Signal(8 + len(row_rows)), Signal(8 + len(row_rows))
        is_one_run, tiles = Signal(), Signal(9)
        # s2: rows left of the run, runs after it
        left, runs = Signal(32 - flit_bits), Signal(16)
        run_ends, final, rows = Signal(), Signal(), Signal.like(made.rows)
        fault = Signal()
        m.d.comb += [
            row_rows.eq(row_rows_less_one + 1),
            run_ends.eq(left <= packet_rows),
            rows.eq(Mux(run_ends, left, packet_rows)),
            final.eq(run_ends & (runs == 0)),
            *local.check(rows), *remote.check(rows),
            made.last.eq(final | fault),
            made.rectangle.eq(area),
            made.tiles.eq(tiles),
            made.signal.eq(Mux(final, signal, 0)),
            made.rows.eq(rows),
            made.tail_less_one.eq(Mux(run_ends, tail_less_one, (1 << flit_bits) - 1)),
            made.row.eq(local.here),
            made.remote_row.eq(remote.here),
            made.status.eq(status),
            fault.eq(status != Status.OK),
        ]
        with m.If(self.stop):
            m.d.comb += [status.eq(Status.ABORTED), made.remote_row.eq(0)]
        with m.Elif(illegal):
            m.d.comb += [status.eq(Status.ILLEGAL_FIELD), made.remote_row.eq(0)]
        with m.Elif(outside):
            m.d.comb += [status.eq(Status.ILLEGAL_TILE), made.remote_row.eq(0)]
        with m.Elif(local.is_outside & ~nothing):
            m.d.comb += [status.eq(Status.LOCAL_RANGE), made.remote_row.eq(local.beyond)]
        with m.Elif(remote.is_outside & ~nothing):
            m.d.comb += [status.eq(Status.LOCAL_RANGE), made.remote_row.eq(remote.beyond)]

        with m.If(self.access.ready):
            m.d.sync += self.access.valid.eq(0)
        with m.FSM():
            with m.State("TAKE"):
                # a command
                m.d.comb += self.command.ready.eq(1)
                with m.If(self.command.valid):
                    m.d.sync += [
                        area.eq(Cat(command.x_first, command.y_first, Const(TO_TILES, 3),
                                    command.x_last, command.y_last)),
                        columns.eq(command.x_last - command.x_first + 1),
                        lines.eq(command.y_last - command.y_first + 1),
                        count_less_one.eq(command.rows - 1),
                        row_rows_less_one.eq((command.row_bytes - 1)[flit_bits:16]),
                        nothing.eq(command.rows == 0),
                        illegal.eq((command.x_first > command.x_last)
                                   | (command.y_first > command.y_last)
                                   | ((command.row_bytes == 0) & (command.rows != 0))),
                        outside.eq((command.x_last >= mesh.cols) | (command.y_last >= mesh.rows)),
                        whole.eq(command.row_bytes[:flit_bits] == 0),
                        tail_less_one.eq((command.row_bytes - 1)[:flit_bits]),
                        signal.eq(command.remote_signal),
                        *local.load(command.local_row, command.local_stride),
                        *remote.load(command.remote_row, command.remote_stride),
                    ]
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                # the products
                m.d.sync += [
                    low.eq(count_less_one[:8] * row_rows),
                    high.eq(count_less_one[8:] * row_rows),
                    tiles.eq(columns * lines),
                    is_one_run.eq(whole & (local.stride == row_rows)
                                  & (remote.stride == row_rows)),
                ]
                m.next = "ADD"
            with m.State("ADD"):
                # the counters
                m.d.sync += [
                    left.eq(Mux(nothing, 0, Mux(is_one_run, low + (high << 8), 0) + row_rows)),
                    runs.eq(Mux(nothing | is_one_run, 0, count_less_one)),
                ]
                m.next = "WALK"
            with m.State("WALK"):
                # room for an access
                with m.If(~self.access.valid | self.access.ready):
                    m.d.comb += self.ended.eq(made.last)
                    m.d.sync += [
                        self.access.valid.eq(1), access.eq(made), self.faulty.eq(fault),
                        *local.step(run_ends, packet_rows), *remote.step(run_ends, packet_rows),
                    ]
                    with m.If(run_ends):
                        m.d.sync += [left.eq(row_rows), runs.eq(runs - 1)]
                    with m.Else():
                        m.d.sync += left.eq(left - packet_rows)
                    with m.If(made.last):
                        m.next = "TAKE"
        return m
