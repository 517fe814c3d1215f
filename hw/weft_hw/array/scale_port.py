"""The readers of block scales behind one scratchpad port: weights first, then by group."""

from amaranth.hdl import Cat, Const

from ..axi.queue import Queue
from ..streams.link import link
from .scale_reader import ScaleParams, ScaleReader, scale_groups

__all__ = ["read_scales"]


def read_scales(m, tile, command, port, loader, streamer, quit_):
    """Adds the readers of block scales to the matmul engine's module ``m``.

    ``command`` goes to all of them when the queues that are returned (name -> ``Queue``) are
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
            m.submodules[key] = pending[key] = queue = Queue(ScaleParams, depth=2)
            params = queue.i.payload
            m.d.comb += [
                params.row.eq(command[f"{prefix}_scale_row"]),
                params.stride.eq(command[f"{prefix}_scale_stride"]),
                params.m.eq(command.m), params.k.eq(command.k), params.n.eq(command.n),
                reader.command.valid.eq(queue.o.valid),
                reader.command.payload.eq(queue.o.payload),
                queue.o.ready.eq(reader.command.ready | quit_),
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
