"""The readers of block scales behind one scratchpad port: weights first, then by group."""

from amaranth.hdl import Cat, Const
from amaranth.lib.fifo import SyncFIFO

from ..streams.link import link
from .scale_reader import ScaleParams, ScaleReader, scale_groups

__all__ = ["read_scales"]


def read_scales(m, tile, command, port, loader, streamer, quit_):
    """Adds the readers of block scales to the matmul engine's module ``m``.

    ``command`` goes to all of them when the queues that are returned (name -> ``SyncFIFO``) are
    written; they read by ``port`` and serve ``loader`` and ``streamer``.
    """
    pending = {}
    requests = []
    for name, user, prefix in (("weights", loader, "w"), ("streams", streamer, "a")):
        readers = []
        for group in range(scale_groups(tile)):
            key = f"{name}_scales_{group}"
            reader = ScaleReader(tile, group=group, weights=name == "weights")
            m.submodules[f"{key}_reader"] = reader
            fifo = SyncFIFO(width=ScaleParams.as_shape().size, depth=2)
            m.submodules[key] = pending[key] = fifo
            params = ScaleParams(fifo.w_data)
            m.d.comb += [
                params.row.eq(command[f"{prefix}_scale_row"]),
                params.stride.eq(command[f"{prefix}_scale_stride"]),
                params.m.eq(command.m), params.k.eq(command.k), params.n.eq(command.n),
                reader.command.valid.eq(fifo.r_rdy),
                reader.command.payload.as_value().eq(fifo.r_data),
                fifo.r_en.eq(reader.command.ready | quit_),
                reader.quit.eq(quit_),
            ]
            link(m, reader.scales, getattr(user, f"scales_{group}"))
            readers.append(reader)
        requests += [reader.read for reader in readers]
        faults = [reader.fault for reader in readers]
        m.d.comb += user.scale_fault.eq(Cat(faults).any())
        for reader in reversed(readers):
            with m.If(reader.fault):
                m.d.comb += user.scale_fault_row.eq(reader.fault_row)
    blocked = Const(0, 1)
    for read in requests:
        with m.If(read.request.valid & ~blocked):
            m.d.comb += port.request.payload.eq(read.request.payload)
        m.d.comb += [
            read.request.ready.eq(port.request.ready & ~blocked),
            read.response.payload.eq(port.response.payload),
            read.response.valid.eq(port.response.valid),
        ]
        blocked = blocked | read.request.valid
    m.d.comb += port.request.valid.eq(blocked)
    return pending
