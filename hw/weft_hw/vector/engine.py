"""Vector engine: requantiser and, with floating point, the microprogrammed processor.

::

    command --opcode--> Requantiser (VECTOR) ---+--> accumulator, scratchpad
                   `--> Processor (RUN, PROGRAM) +--> done

They share the ports and take turns: a command for one waits until the other is empty, so commands
end in order and nothing of one is under way while the other runs.

Timing: that of the unit. A command that follows one for the other unit is taken in the cycle after
that one's ``done`` was taken.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..isa import CommandHeader, Opcode
from ..streams.link import link
from .ports import vector_ports
from .processor.processor import Processor
from .requantiser.requantiser import Requantiser

__all__ = ["VectorEngine"]


class VectorEngine(wiring.Component):
    """Runs VECTOR and, where floating point is built in, RUN and PROGRAM.

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
        m.submodules.requantiser = requantiser = Requantiser(self.config)
        m.d.comb += self.drained.eq(self.accumulator.request.valid & self.accumulator.request.ready)
        if not self.config.tile.has_float:
            link(m, wiring.flipped(self.engine), requantiser.engine)
            for name in ("accumulator", "read", "write"):
                link(m, getattr(requantiser, name), wiring.flipped(getattr(self, name)))
            m.d.comb += self.busy.eq(requantiser.busy)
            return m

        m.submodules.processor = processor = Processor(self.config)
        command = self.engine.command
        opcode = CommandHeader(command.payload.bits[:CommandHeader.as_shape().size]).opcode
        programmed = Signal()
        m.d.comb += [
            programmed.eq((opcode == Opcode.RUN) | (opcode == Opcode.PROGRAM)),
            self.busy.eq(requantiser.busy | processor.busy),
            command.ready.eq(Mux(programmed, processor.engine.command.ready & ~requantiser.busy,
                                 requantiser.engine.command.ready & ~processor.busy)),
        ]
        for unit, other, chosen in ((requantiser, processor, ~programmed),
                                    (processor, requantiser, programmed)):
            offered, done = unit.engine.command, unit.engine.done
            m.d.comb += [
                offered.valid.eq(command.valid & chosen & ~other.busy),
                offered.payload.eq(command.payload),
                unit.engine.abort.eq(self.engine.abort),
                done.ready.eq(self.engine.done.ready),
            ]
            # only the unit that is busy offers anything
            for name in ("accumulator", "read", "write"):
                request = getattr(unit, name).request
                m.d.comb += request.ready.eq(getattr(self, name).request.ready)
            for name in ("accumulator", "read"):
                m.d.comb += [
                    getattr(unit, name).response.payload.eq(getattr(self, name).response.payload),
                    getattr(unit, name).response.valid.eq(
                        getattr(self, name).response.valid & unit.busy),
                ]
        pairs = [(getattr(self, name).request, getattr(requantiser, name).request,
                  getattr(processor, name).request) for name in ("accumulator", "read", "write")]
        pairs.append((self.engine.done, requantiser.engine.done, processor.engine.done))
        for port, first, second in pairs:
            m.d.comb += [
                port.valid.eq(first.valid | second.valid),
                port.payload.eq(Mux(second.valid, second.payload, first.payload)),
            ]
        return m
