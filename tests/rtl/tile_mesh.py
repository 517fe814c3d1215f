"""Tiles without arithmetic on a mesh: store engine, scratchpad, ingress, semaphores. What stores to
tiles need, small enough to be compiled in seconds.
"""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from weft_hw.config import ChipConfig, MeshConfig, TileConfig
from weft_hw.dma.store import StoreEngine
from weft_hw.memory.port import ReadPort, WritePort
from weft_hw.memory.scratchpad import Scratchpad
from weft_hw.noc.mesh import Mesh
from weft_hw.noc.packet import MeshPort, NodeAddress, RequestHeader, ResponseHeader, RouterPort
from weft_hw.noc.receiver import PacketReceiver
from weft_hw.noc.sender import PacketSender
from weft_hw.shared import share
from weft_hw.streams.link import link
from weft_hw.tile.engine import EnginePort
from weft_hw.tile.ingress import Ingress
from weft_hw.tile.semaphores import Semaphores

__all__ = ["StoringTile", "TileMesh", "storing_chip"]


def storing_chip(cols: int, rows: int, *, flit_bytes: int, depth: int) -> ChipConfig:
    """A chip of small tiles: 4 KiB of scratchpad."""
    return ChipConfig(
        name="storing",
        tile=TileConfig(
            array_rows=flit_bytes, array_cols=flit_bytes, scratchpad_kib=4, accumulator_kib=4
        ),
        mesh=MeshConfig(cols=cols, rows=rows, router_fifo_depth=depth),
    )


class StoringTile(wiring.Component):
    """One tile.

    Members
    -------
    mesh : Out(MeshPort)
    node : In(NodeAddress)
    engine : In(EnginePort)
        of the store engine
    fill : In(WritePort)
        writes to the scratchpad before all others
    dump : In(ReadPort)
        reads it before the store engine
    signal, signal_mask : In
        semaphores given by the tile itself
    values : Out
        of the semaphores
    bytes : Out(13)
        as of the store engine
    """

    def __init__(self, config):
        self.config = config
        self.shared_name = f"storing_tile_{config.flit_bytes}"
        rows, row_bits = config.tile.scratchpad_rows, 8 * config.flit_bytes
        super().__init__(
            {
                "mesh": Out(MeshPort(flit_bytes=config.flit_bytes)),
                "node": In(NodeAddress),
                "engine": In(EnginePort(address_bits=config.host.address_bits)),
                "fill": In(WritePort(rows=rows, row_bits=row_bits)),
                "dump": In(ReadPort(rows=rows, row_bits=row_bits)),
                "signal": In(1),
                "signal_mask": In(16),
                "values": Out(data.ArrayLayout(8, 16)),
                "bytes": Out(13),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        header = RequestHeader(address_bits=config.host.address_bits)
        m.submodules.store = store = StoreEngine(config)
        m.submodules.scratchpad = scratchpad = Scratchpad(config)
        m.submodules.ingress = ingress = Ingress(config)
        m.submodules.semaphores = semaphores = Semaphores(count=16, remote=True)
        m.submodules.requests = requests = PacketSender(header, config.flit_bytes)
        m.submodules.acks = acks = PacketSender(ResponseHeader, config.flit_bytes)
        m.submodules.receiver = receiver = PacketReceiver(ResponseHeader, config.flit_bytes)
        link(m, wiring.flipped(self.engine), store.engine)
        link(m, store.read, scratchpad.read_store)
        link(m, store.request, requests.i_header)
        link(m, store.request_data, requests.i_data)
        link(m, requests.o, wiring.flipped(self.mesh.request_o))
        link(m, wiring.flipped(self.mesh.request_i), ingress.flits)
        link(m, ingress.remote, scratchpad.write_remote)
        link(m, ingress.ack, acks.i_header)
        link(m, acks.o, wiring.flipped(self.mesh.response_o))
        link(m, wiring.flipped(self.mesh.response_i), receiver.i)
        link(m, receiver.o_header, store.response_header)
        link(m, wiring.flipped(self.fill), scratchpad.write_load)
        link(m, wiring.flipped(self.dump), scratchpad.read_vector)
        m.d.comb += [
            store.node.eq(self.node),
            ingress.node.eq(self.node),
            semaphores.remote.eq(ingress.signal),
            semaphores.remote_mask.eq(ingress.signal_mask),
            ingress.signal_taken.eq(semaphores.remote_taken),
            ingress.signal_overflow.eq(semaphores.remote_overflow),
            semaphores.signal.eq(self.signal),
            semaphores.signal_mask[0].eq(self.signal_mask),
            self.values.eq(semaphores.values),
            self.bytes.eq(store.bytes),
        ]
        return m


class TileMesh(wiring.Component):
    """The tiles of a ``ChipConfig`` on its mesh, their members as arrays; other nodes are idle."""

    MEMBERS = ("engine", "fill", "dump", "signal", "signal_mask", "values", "bytes")

    def __init__(self, config):
        self.config = config
        tile = StoringTile(config)
        tile._MustUse__used = True
        super().__init__(
            {name: tile.signature.members[name].array(config.mesh.tiles) for name in self.MEMBERS}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.mesh = mesh = Mesh(self.config)
        for index in range(self.config.mesh.tiles):
            tile = StoringTile(self.config)
            y, x = divmod(index, self.config.mesh.cols)
            m.submodules[f"tile_{index}"] = share(tile)
            link(m, tile.mesh, mesh.tile[index])
            m.d.comb += [
                tile.node.x.eq(x),
                tile.node.y.eq(y),
                tile.node.port.eq(RouterPort.LOCAL),
                tile.signal.eq(self.signal[index]),
                tile.signal_mask.eq(self.signal_mask[index]),
                self.values[index].eq(tile.values),
                self.bytes[index].eq(tile.bytes),
            ]
            for name in ("engine", "fill", "dump"):
                link(m, wiring.flipped(getattr(self, name)[index]), getattr(tile, name))
        return m
