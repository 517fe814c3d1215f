"""A tile: four engines around local memories, joined by semaphores, on one port of the mesh.

::

    request plane in -> Ingress -> FrontEnd x 4 (queues, Semaphores) -> engines -> Completions -+
                               \\-> TileStatus ---------------------------> response plane out <-+
    response plane in -> read data -> LoadEngine -> Scratchpad
        -> MatmulEngine -> Accumulator -> VectorEngine -> Scratchpad
    request plane out <- LoadEngine reads, StoreEngine writes <- Scratchpad

All tiles of a chip are identical and shared; a tile learns where it is from its ``node`` input.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.matmul import MatmulEngine
from ..dma.load import LoadEngine
from ..dma.store import StoreEngine
from ..isa import Engine
from ..memory.accumulator import Accumulator
from ..memory.scratchpad import Scratchpad
from ..noc.arbiter import PacketArbiter
from ..noc.packet import MeshPort, NodeAddress, RequestHeader, ResponseHeader, ResponseKind
from ..noc.receiver import PacketReceiver
from ..noc.sender import PacketSender
from ..streams.link import link
from ..vector.engine import VectorEngine
from .completions import Completions
from .frontend import EngineState, FrontEnd
from .ingress import Ingress
from .semaphores import Semaphores
from .status import TileStatus

__all__ = ["EngineTrace", "Tile"]


class EngineTrace(wiring.Signature):
    """Observation of one engine: a command starts, a command ends, in this cycle."""

    def __init__(self):
        super().__init__({
            "start": Out(1), "start_index": Out(unsigned(32)),
            "finish": Out(1), "finish_index": Out(unsigned(32)),
        })


class Tile(wiring.Component):
    """One compute tile.

    Members
    -------
    mesh : Out(MeshPort)
    node : In(NodeAddress)
        Its own address, constant.
    abort : In(1), clear : In(1)
        From the control node: end what runs; forget semaphores and fault.
    trace : Out(EngineTrace) x 4
    """

    def __init__(self, config):
        self.config = config
        self.shared_name = f"weft_tile_{config.name}"
        super().__init__({
            "mesh": Out(MeshPort(flit_bytes=config.flit_bytes)),
            "node": In(NodeAddress),
            "abort": In(1), "clear": In(1),
            "trace": Out(EngineTrace()).array(len(Engine)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.scratchpad = scratchpad = Scratchpad(config)
        m.submodules.accumulator = accumulator = Accumulator(config)
        m.submodules.load = load = LoadEngine(config)
        m.submodules.matmul = matmul = MatmulEngine(config)
        m.submodules.vector = vector = VectorEngine(config)
        m.submodules.store = store = StoreEngine(config)
        m.submodules.ingress = ingress = Ingress(config)
        has_remote = config.mesh.tiles > 1
        m.submodules.semaphores = semaphores = Semaphores(
            count=config.tile.semaphores, remote=has_remote)
        m.submodules.completions = completions = Completions(config)
        m.submodules.status = status = TileStatus(config)
        engines = {
            Engine.LOAD: load, Engine.MATMUL: matmul, Engine.VECTOR: vector, Engine.STORE: store,
        }

        # --- local memories
        link(m, matmul.activations, scratchpad.read_activations)
        link(m, matmul.weights, scratchpad.read_weights)
        if "mxfp8" in config.tile.formats:
            link(m, matmul.scales, scratchpad.read_scales)
        link(m, vector.read, scratchpad.read_vector)
        link(m, store.read, scratchpad.read_store)
        if config.tile.tensor_loads:
            link(m, load.indices, scratchpad.read_load)
        link(m, load.write, scratchpad.write_load)
        link(m, vector.write, scratchpad.write_vector)
        link(m, vector.accumulator, accumulator.read)
        m.d.comb += [
            accumulator.update_valid.eq(matmul.update_valid),
            accumulator.update_row.eq(matmul.update_row),
            accumulator.update_accumulate.eq(matmul.update_accumulate),
            accumulator.sums.eq(matmul.sums),
        ]
        if config.tile.has_float:
            m.d.comb += accumulator.update_floating.eq(matmul.update_floating)

        # --- commands
        link(m, wiring.flipped(self.mesh.request_i), ingress.flits)
        frontends = []
        for number, (engine, block) in enumerate(engines.items()):
            name = engine.name.lower()
            m.submodules[f"frontend_{name}"] = frontend = FrontEnd(config)
            frontends.append(frontend)
            link(m, getattr(ingress, f"words_{name}"), frontend.words)
            link(m, frontend.engine, block.engine)
            link(m, frontend.done, getattr(completions, f"done_{name}"))
            unmet = Signal(16, name=f"unmet_{name}")
            m.d.comb += [
                semaphores.request[number].eq(frontend.request),
                semaphores.mask[number].eq(frontend.mask),
                frontend.grant.eq(semaphores.grant[number]), frontend.abort.eq(self.abort),
                unmet.eq(frontend.mask & ~semaphores.nonzero),
                status.states[number].eq(frontend.state.as_value()),
                status.waits[number].eq(Mux(frontend.waiting, unmet, 0)),
                status.indices[number].eq(frontend.index),
                self.trace[number].start.eq(frontend.start),
                self.trace[number].start_index.eq(frontend.start_index),
                self.trace[number].finish.eq(completions.finish[number]),
                self.trace[number].finish_index.eq(completions.finish_index),
                status.increments[f"busy_{name}"].eq(frontend.state == EngineState.RUNNING),
                status.increments[f"wait_{name}"].eq(frontend.waiting),
            ]
        m.d.comb += [
            semaphores.signal.eq(completions.signal),
            semaphores.signal_mask.eq(completions.signal_mask),
            completions.overflow.eq(semaphores.overflow),
            semaphores.clear.eq(self.clear), completions.clear.eq(self.clear),
            completions.node.eq(self.node), status.node.eq(self.node),
            load.node.eq(self.node), store.node.eq(self.node),
            status.semaphores.eq(semaphores.values),
            status.fault_status.eq(completions.fault_status),
            status.fault_address.eq(completions.fault_address),
        ]

        # --- request plane out: reads and writes
        request_header = RequestHeader(address_bits=config.host.address_bits)
        m.submodules.requests = requests = PacketArbiter(
            request_header, flit_bytes=config.flit_bytes, count=2)
        m.submodules.request_sender = request_sender = PacketSender(
            request_header, config.flit_bytes)
        m.d.comb += [
            requests.i_header_0.valid.eq(load.request.valid),
            load.request.ready.eq(requests.i_header_0.ready),
            requests.i_header_0.payload.header.eq(load.request.payload),
        ]
        link(m, store.request, requests.i_header_1)
        link(m, store.request_data, requests.i_data_1)
        link(m, requests.o_header, request_sender.i_header)
        link(m, requests.o_data, request_sender.i_data)
        link(m, request_sender.o, wiring.flipped(self.mesh.request_o))

        # --- response plane out: completions and status pages
        link(m, ingress.read, status.read)
        m.submodules.responses = responses = PacketArbiter(
            ResponseHeader, flit_bytes=config.flit_bytes, count=3 if has_remote else 2)
        m.submodules.response_sender = response_sender = PacketSender(
            ResponseHeader, config.flit_bytes)
        link(m, completions.header, responses.i_header_0)
        link(m, status.header, responses.i_header_1)
        link(m, status.flits, responses.i_data_1)
        link(m, responses.o_header, response_sender.i_header)
        link(m, responses.o_data, response_sender.i_data)
        link(m, response_sender.o, wiring.flipped(self.mesh.response_o))

        # --- writes of other tiles
        if has_remote:
            link(m, ingress.remote, scratchpad.write_remote)
            link(m, ingress.ack, responses.i_header_2)
            m.d.comb += [
                ingress.node.eq(self.node),
                semaphores.remote.eq(ingress.signal),
                semaphores.remote_mask.eq(ingress.signal_mask),
                ingress.signal_taken.eq(semaphores.remote_taken),
                ingress.signal_overflow.eq(semaphores.remote_overflow),
            ]

        # --- response plane in: read data and write acknowledgements
        m.submodules.receiver = receiver = PacketReceiver(ResponseHeader, config.flit_bytes)
        link(m, wiring.flipped(self.mesh.response_i), receiver.i)
        link(m, receiver.o_data, load.response_data)
        is_data = receiver.o_header.payload.header.kind == ResponseKind.READ_DATA
        m.d.comb += [
            load.response_header.payload.eq(receiver.o_header.payload),
            store.response_header.payload.eq(receiver.o_header.payload),
            load.response_header.valid.eq(receiver.o_header.valid & is_data),
            store.response_header.valid.eq(receiver.o_header.valid & ~is_data),
            receiver.o_header.ready.eq(
                Mux(is_data, load.response_header.ready, store.response_header.ready)),
        ]

        # --- counters
        m.d.comb += [
            status.increments.array_steps.eq(matmul.step),
            status.increments.weight_stalls.eq(matmul.stall),
            status.increments.bytes_loaded.eq(load.bytes),
            status.increments.bytes_stored.eq(store.bytes),
            status.increments.rows_drained.eq(vector.drained),
            status.increments.request_flits.eq(
                self.mesh.request_o.valid & self.mesh.request_o.ready),
            status.increments.response_flits.eq(
                self.mesh.response_i.valid & self.mesh.response_i.ready),
            status.increments.scratchpad_conflicts.eq(scratchpad.conflict),
        ]
        return m
