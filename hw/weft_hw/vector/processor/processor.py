"""Runs microprograms: ``RunCommand`` and ``ProgramCommand``.

::

    command -> checks -+-> Loader ----- read
                       |      v
                       |    store <---> TableReader <---------------- indices ---+
                       |      v                                                  |
                       +-> Sequencer -> Issuer -+-> read, accumulator -> Lanes --+-> StoreWriter
                                                +-> row control ---------^              -> write

One command at a time, in order.

**Timing of RUN**, which is exact; cycles in which a memory refuses come on top, where they stand in
the way. L = ``ProcessorLane.DISTANCE`` = 6, rows = rows of the strip (8; less in the last strip).
With the command taken in cycle t, the first instruction is *there* in t + 2; the one after an
instruction that *leaves* in cycle p is there in p + 1.

* LOOP, NEXT and END leave in the cycle in which they are there, beside whatever else still runs.
* Every other instruction leaves in the first cycle p in which it is there and the issuer is free.
  Its first row passes the walk in p + 1 and is issued (x0) a cycle later, and so on, a row a cycle:
  row r passes in the first cycle after row r - 1 passed in which x0 is free (empty or issuing). The
  issuer is free again

  - in the cycle e in which the last row passes, if rows >= L;
  - else in cycle x + L - rows - 1 (at the earliest e + 1), x being that in which the last row is
    issued: x = e + 1 unless it waits.

  So an operation takes max(rows, L) cycles, and none of them is lost between two operations.
* LOAD: as above, but a vector of k scratchpad rows (INT32 and FP32: ``units_per_vector``) passes
  and is issued in k steps, a scratchpad row each. A step is issued when its request is granted. A
  step from the scratchpad waits while stores are under way, if when it passed some were and its row
  lay between the lowest and highest row of all vectors stored since there last were none.
* STORE: as above, but a row does not pass while 16 vectors are under way. A vector is *under way*
  from the cycle after its passing to that in which its last write is accepted. A row issued in x
  shows its write from x + 8 on (after those before it), k writes of one cycle each for k scratchpad
  rows.
* LOOKUP: row r's indices pass in cycle p + 1 + r (C + 7), its result C + 6 cycles later; the result
  of the last row counts as the last row above. What follows is there 2 cycles after it passed.

``done`` is offered two cycles after the last of: END of the last strip left, the last row was
issued (the last step of a LOAD with nothing behind it: two more), the last write was accepted. The
next command is taken in the cycle after ``done`` is taken.

**Timing of PROGRAM**: taken in t; scratchpad row q is asked for in t + 2 + q e (e =
``row_bytes / 8`` instructions in a row); the last instruction, number s of its row (from 0), is
written 3 + s cycles after the last grant, and ``done`` is offered 2 cycles later.

A command refused by the checks is done in t + 2.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.utils import ceil_log2

from ...isa import Opcode, ProgramCommand, RunCommand, Status
from ...streams.link import link
from ...tile.engine import Done
from ...verilog import UNINITIALISED
from ..microcode import INSTRUCTION_BITS
from ..ports import vector_ports
from .issuer import Issuer
from .lanes import Lanes
from .loader import Loader
from .sequencer import Sequencer
from .table import TableReader
from .writer import StoreWriter

__all__ = ["Processor"]


class Processor(wiring.Component):
    """See ``vector.microcode`` for what programs mean.

    Before anything is done, RUN is refused if M or N is zero or one of its streams, used or not,
    has a format that is not built in or, in the accumulators, not of 32 bits (ILLEGAL_FIELD); so is
    PROGRAM without instructions (ILLEGAL_FIELD), beyond the store (ILLEGAL_INSTRUCTION, with its
    last entry) or the scratchpad (LOCAL_RANGE, with its last row).

    A program ends at its first error, with all done that comes before it in program order and
    nothing after: ILLEGAL_INSTRUCTION, with the entry, for what ``microcode`` does not allow, an
    entry beyond the store or ``permute_bit`` beyond the lanes; ILLEGAL_FIELD, with the entry, for a
    STORE to the accumulators; LOCAL_RANGE, with the scratchpad or accumulator row that its first
    unit is in (modulo 2**32), for a vector that is not all inside its memory.

    Under ``abort`` nothing new is begun, what is under way ends, and the command is answered
    ABORTED, except one whose last instruction had left.

    Members
    -------
    engine, accumulator, read, write, busy
        See ``ports``. RUN and PROGRAM only: any other opcode is taken for RUN.
    """

    def __init__(self, config):
        self.config = config
        super().__init__(vector_ports(config))

    def elaborate(self, platform):
        m = Module()
        config, tile = self.config, self.config.tile
        entries = tile.microprogram_entries
        m.submodules.store = store = memory.Memory(
            shape=unsigned(INSTRUCTION_BITS), depth=entries, init=[], attrs=UNINITIALISED)
        m.submodules.loader = loader = Loader(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.issuer = issuer = Issuer(config)
        m.submodules.lanes = lanes = Lanes(config)
        m.submodules.table = table = TableReader(config)
        m.submodules.writer = writer = StoreWriter(config, depth=issuer.DEPTH)
        link(m, sequencer.dispatch, issuer.dispatch)
        link(m, issuer.accumulator, wiring.flipped(self.accumulator).request)
        link(m, writer.write, wiring.flipped(self.write))

        # --- the store, read by the sequencer or the table
        write, read = store.write_port(), store.read_port()
        base = Signal(ceil_log2(entries))
        with m.If(sequencer.dispatch.valid & sequencer.dispatch.ready):
            m.d.sync += base.eq(sequencer.dispatch.payload.instruction.immediate)
        m.d.comb += [
            write.en.eq(loader.write), write.addr.eq(loader.write_entry),
            write.data.eq(loader.write_data),
            read.en.eq(sequencer.read | table.read),
            read.addr.eq(Mux(table.read, table.entry, sequencer.read_entry)),
            sequencer.instruction.eq(read.data), sequencer.looking.eq(issuer.looking),
            table.data.eq(read.data[:32]), table.base.eq(base),
            table.valid.eq(lanes.indices_valid), table.indices.eq(lanes.indices),
            table.taken.eq(issuer.table_taken), issuer.table_ready.eq(table.ready),
            table.clear.eq(sequencer.start),
        ]

        # --- rows
        table_ages = Signal(2)
        m.d.sync += table_ages.eq(Cat(lanes.valid & lanes.control.looks_up, table_ages))
        m.d.comb += [
            lanes.valid.eq(issuer.valid), lanes.control.eq(issuer.control),
            lanes.constant.eq(issuer.constant), lanes.loads.eq(issuer.loads),
            lanes.scratchpad.eq(self.read.response.payload),
            lanes.accumulator.eq(self.accumulator.response.payload),
            lanes.table.eq(table.elements), lanes.from_table.eq(table_ages[1]),
            lanes.tail_mask.eq(sequencer.tail_mask),
            writer.tag_valid.eq(issuer.tag_valid), writer.tag.eq(issuer.tag),
            writer.i_valid.eq(lanes.o_valid), writer.i.eq(lanes.o),
            issuer.written.eq(writer.written),
        ]

        # --- the read port: commands of both kinds are never inside together
        request = self.read.request
        m.d.comb += [
            request.valid.eq(loader.request.valid | issuer.request.valid),
            request.payload.eq(Mux(loader.request.valid, loader.request.payload,
                                   issuer.request.payload)),
            loader.request.ready.eq(request.ready), issuer.request.ready.eq(request.ready),
            loader.response.eq(self.read.response.payload),
        ]

        # --- the command
        word = self.engine.command.payload
        done = Signal(Done(address_bits=config.host.address_bits))
        loads = Signal()                        # PROGRAM
        bits = Signal(len(word.bits))
        run = data.View(RunCommand, bits[:RunCommand.as_shape().size])
        program = data.View(ProgramCommand, bits[:ProgramCommand.as_shape().size])
        each = 8 * tile.row_bytes // INSTRUCTION_BITS
        last_row, last_entry = Signal(33), Signal(17)
        aborting, stop = Signal(), Signal()
        m.d.comb += [
            stop.eq(self.engine.abort | aborting),
            last_row.eq(program.row + (program.count - 1)[:16][ceil_log2(each):]),
            last_entry.eq(program.start + program.count - 1),
            sequencer.operands.eq(run.streams), sequencer.scalars.eq(run.scalars),
            sequencer.m.eq(run.m), sequencer.n.eq(run.n), sequencer.entry.eq(run.start),
            loader.row.eq(program.row), loader.entry.eq(program.start),
            loader.count_less_one.eq(program.count - 1), loader.stop.eq(stop),
            self.engine.done.payload.eq(done),
        ]
        with m.FSM() as states:
            with m.State("FREE"):
                # for a command
                m.d.comb += self.engine.command.ready.eq(1)
                m.d.sync += aborting.eq(self.engine.abort)
                with m.If(self.engine.command.valid):
                    m.d.sync += [
                        bits.eq(word.bits), done.index.eq(word.index), done.address.eq(0),
                        done.status.eq(Status.OK),
                    ]
                    m.next = "CHECK"
            with m.State("CHECK"):
                # for nothing
                m.d.sync += [loads.eq(run.header.opcode == Opcode.PROGRAM),
                             done.signal.eq(run.header.signal)]
                with m.If(stop):
                    m.d.sync += done.status.eq(Status.ABORTED)
                    m.next = "ANSWER"
                with m.Elif(run.header.opcode == Opcode.PROGRAM):
                    with m.If(program.count == 0):
                        m.d.sync += done.status.eq(Status.ILLEGAL_FIELD)
                        m.next = "ANSWER"
                    with m.Elif(last_entry >= entries):
                        m.d.sync += [done.status.eq(Status.ILLEGAL_INSTRUCTION),
                                     done.address.eq(last_entry)]
                        m.next = "ANSWER"
                    with m.Elif(last_row >= tile.scratchpad_rows):
                        m.d.sync += [done.status.eq(Status.LOCAL_RANGE),
                                     done.address.eq(last_row[:32])]
                        m.next = "ANSWER"
                    with m.Else():
                        m.d.comb += loader.start.eq(1)
                        m.next = "LOAD"
                with m.Elif((run.m == 0) | (run.n == 0) | ~sequencer.legal):
                    m.d.sync += done.status.eq(Status.ILLEGAL_FIELD)
                    m.next = "ANSWER"
                with m.Else():
                    m.d.comb += sequencer.start.eq(1)
                    m.next = "RUN"
            with m.State("LOAD"):
                # for the last instruction to be in the store
                with m.If(~loader.busy):
                    m.next = "ANSWER"
                with m.If(stop):
                    m.d.sync += done.status.eq(Status.ABORTED)
            with m.State("RUN"):
                # for the program to end, and for what is under way then
                with m.If(~sequencer.active & issuer.idle & ~lanes.loading & ~table.busy):
                    m.next = "ANSWER"
                with m.If(sequencer.failed):
                    m.d.sync += [done.status.eq(sequencer.status),
                                 done.address.eq(sequencer.entry_failed)]
                with m.If(stop & sequencer.active):
                    m.d.comb += [sequencer.stop.eq(1), issuer.stop.eq(1)]
                    m.d.sync += done.status.eq(Status.ABORTED)
            with m.State("ANSWER"):
                # for its end to be taken
                m.d.comb += self.engine.done.valid.eq(1)
                with m.If(self.engine.done.ready):
                    m.next = "FREE"
        with m.If(~states.ongoing("FREE")):
            m.d.sync += aborting.eq(stop)
        # also after the program has ended or failed: the row came before that
        with m.If(issuer.fault):
            m.d.comb += sequencer.stop.eq(1)
            m.d.sync += [done.status.eq(Status.LOCAL_RANGE), done.address.eq(issuer.fault_row)]
        m.d.comb += self.busy.eq(~states.ongoing("FREE"))
        return m
