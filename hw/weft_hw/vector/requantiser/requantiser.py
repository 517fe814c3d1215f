"""Requantiser: accumulators to the scratchpad, as int8 or as int32.

::

    command -> VectorIntake -+-> RowDrain -> accumulator -> VectorLanes -> RowWriter -> write
                             |      +---------- tag --------------------------^  +----> done
                             +-> ParameterFetch -- bias, scale -^
                             +-> ResidualFetch --- residual ----^
                                 both by one FetchPort

The three agents walk the same command at their own pace: parameters of the next block, or of the
next command's first, are fetched while a block streams. Rows are asked for only if all that follows
has room, so the lanes never stall, and responses, which cannot be refused, never need to be.

A command's parameters and residuals may be read while the command before still writes: one that
needs what an earlier vector command wrote must wait for that command's signal. Residual and output
of one command may be the same rows.

Timing without refusals, from the cycle t in which a command is taken by an idle engine, with ``k``
scratchpad rows of parameters in the first block (at most ``p`` for bias and as many for scale)::

    t + 7                        checked (t + 2 if a field is illegal)
    first = t + k + 11           first accumulator read (t + 8 if k = 0)
    + rows - 1                   last accumulator read: a row a cycle, INT32 a row every p
    + 15                         its write accepted (INT32: the first of its p parts 5 later)
    + 1                          done (an error: 3 after the check)

where ``p`` scratchpad rows (``parameter_beats``, 4 or 2) hold a vector of 32 bits. A block of m
rows takes max(m, 2 p + 4) cycles (INT8 with bias), max(m, p + 6) (INT8), max(p m, p + 4) (INT32
with bias) or p m. With residuals its reads of the scratchpad take m + 2 p (with bias) or m + p
cycles. Commands follow each other by the same rule as blocks; INT32 after INT8 waits until that is
written.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ...streams.level import count
from ...streams.link import link
from ..ports import vector_ports
from .drain import RowDrain
from .fetch_port import FetchPort
from .intake import VectorIntake
from .lanes import VectorLanes
from .parameters import ParameterFetch
from .residuals import ResidualFetch
from .writer import RowWriter

__all__ = ["Requantiser"]

#: Commands inside at once: one being checked, one draining, two being written.
_COMMANDS = 4

#: Output rows under way: the cycles from asking for a row to hearing that it was written, and some
#: against short refusals.
_DEPTH = VectorLanes.LATENCY + 3 + 8


class Requantiser(wiring.Component):
    """Runs ``VectorCommand``; see ``weft_sim.golden.requantise`` for the arithmetic.

    Lanes beyond N are written as zero. INT32 takes no residual, scale or clamp, whatever the
    command says. Bias and scale are read only as far as N goes. A command that would leave a memory
    is LOCAL_RANGE, before any access, with the last row of the walk as ``address``; walks are
    looked at in the order accumulators, output, bias, scale, residual. Under ``abort`` rows asked
    for are still written, then every command inside is answered ABORTED, except one whose last row
    had been asked for.

    Members
    -------
    engine, accumulator, read, write, busy
        See ``ports``.
    drained : Out(1)
        Counter: an accumulator row was read.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({**vector_ports(config), "drained": Out(1)})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.intake = intake = VectorIntake(config)
        m.submodules.fetch = fetch = FetchPort(config)
        m.submodules.parameters = parameters = ParameterFetch(config)
        m.submodules.residuals = residuals = ResidualFetch(config)
        m.submodules.drain = drain = RowDrain(config, depth=_DEPTH)
        m.submodules.lanes = lanes = VectorLanes(config)
        m.submodules.writer = writer = RowWriter(config, depth=_DEPTH, commands=_COMMANDS)
        link(m, wiring.flipped(self.engine).command, intake.command)
        link(m, intake.drain, drain.task)
        link(m, intake.parameters, parameters.task)
        link(m, intake.residual, residuals.task)
        link(m, fetch.read, wiring.flipped(self.read))
        link(m, writer.write, wiring.flipped(self.write))
        link(m, writer.done, wiring.flipped(self.engine).done)

        # --- commands inside; stopping lasts until all that abort found inside has been answered
        inside, full, busy = Signal(range(_COMMANDS + 1)), Signal(), Signal()
        aborting, stop, quiet = Signal(), Signal(), Signal()
        entered = self.engine.command.valid & self.engine.command.ready
        left = self.engine.done.valid & self.engine.done.ready
        count(m, inside, up=entered, down=left, flags=[
            (full, lambda commands: commands == _COMMANDS), (busy, lambda commands: commands != 0)])
        m.d.sync += aborting.eq(
            self.engine.abort | (aborting & ~(quiet & intake.free & ~drain.active)))
        m.d.comb += [
            stop.eq(self.engine.abort | aborting),
            quiet.eq(drain.idle & fetch.idle),
            intake.hold.eq(full | (aborting & ~self.engine.abort)),
            self.busy.eq(busy),
            self.drained.eq(drain.granted),
        ]

        # --- scratchpad reads
        m.d.comb += [
            fetch.want_parameter.eq(parameters.want), fetch.parameter_row.eq(parameters.row),
            fetch.parameter_tag.eq(parameters.tag), parameters.take.eq(fetch.take_parameter),
            fetch.want_residual.eq(residuals.want), fetch.residual_row.eq(residuals.row),
            residuals.take.eq(fetch.take_residual), residuals.granted.eq(fetch.granted_residual),
            parameters.response_valid.eq(fetch.response_valid),
            parameters.response_tag.eq(fetch.response_tag),
            parameters.response.eq(self.read.response.payload),
            residuals.response_valid.eq(fetch.response_valid & fetch.response_tag.residual),
            residuals.response_part.eq(fetch.response_tag.part),
            residuals.response.eq(self.read.response.payload),
        ]

        # --- rows; a cycle after it was taken the intake still shows a task, and its first tag has
        # not reached the end of the writer's queue
        begun = Signal()
        m.d.sync += begun.eq(drain.begin)
        link(m, drain.request, wiring.flipped(self.accumulator).request)
        m.d.comb += [
            drain.stop.eq(stop), drain.quiet.eq(quiet),
            parameters.stop.eq(stop), residuals.stop.eq(stop), residuals.clear.eq(stop & quiet),
            drain.parameters_ready.eq(parameters.ready), drain.residual_ahead.eq(residuals.ahead),
            drain.written.eq(writer.written),
            parameters.consume.eq(drain.granted & drain.row.first
                                  & (drain.row.use_bias | ~drain.row.int32)),
            parameters.consume_scale.eq(~drain.row.int32),
            parameters.scale_free.eq(lanes.scale_free),
            residuals.consume.eq(drain.granted & drain.row.use_residual),
            residuals.pop.eq(lanes.pop),
            lanes.granted.eq(drain.granted), lanes.row.eq(drain.row),
            lanes.accumulators.eq(self.accumulator.response.payload),
            lanes.bias.eq(parameters.bias), lanes.scale.eq(parameters.scale),
            lanes.residual.eq(residuals.data),
            writer.begin.eq(begun), writer.task.eq(intake.drain.payload),
            writer.tag_valid.eq(drain.tag_valid), writer.tag.eq(drain.tag),
            writer.i_valid.eq(lanes.o_valid), writer.i.eq(lanes.o),
        ]
        return m
