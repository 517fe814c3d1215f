"""Transfers between memory and scratchpad: commands in, requests out, ``Done`` in order.

```
 engine.command -> InFlight -> Decode -> Pattern --> access (a request, with its tag)
                      ^  `-> engine.done    |
                      `--- complete         `-> InFlight: numbered
```

The next command's accesses follow the previous command's without a gap.

Latency: command taken in cycle t, first access offered in t + 4; the last ``complete`` of a command
in t, its ``done`` offered in t + 1. Throughput: an access a cycle, a command every 3 cycles.
"""

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..memory.port import ReadPort
from ..streams.link import link
from ..tile.engine import EnginePort
from .decode import Decode
from .in_flight import InFlight
from .pattern import Pattern
from .ring import Completed
from .split import Splitter
from .walk import Access

__all__ = ["TaggedAccess", "Transfer"]


class TaggedAccess(data.StructLayout):
    """An access whose status is OK, and its tag."""

    def __init__(self, config, *, tensor=False):
        super().__init__({"access": Access(config, tensor=tensor), "tag": unsigned(8)})


class Transfer(wiring.Component):
    """Runs commands as requests: STOREs, or with ``load`` LOADs and, where the tile has
    ``tensor_loads``, GATHERs and FILLs.

    Members
    -------
    engine : In(EnginePort)
    access : Out(stream.Signature(TaggedAccess))
        a request, or what ``Access`` says of a fill; either is to be completed
    complete : In(stream.Signature(Completed, always_ready=True))
    busy : Out(1)
        a command was taken and is not done
    bytes : Out(13)
        payload bytes of requests that succeeded, in the cycle in which they leave the ring
    indices : Out(ReadPort)
        of a gather; if it runs any
    """

    def __init__(self, config, *, requests, load=False):
        self.config = config
        self.requests = requests
        self.load = load
        tile = config.tile
        self.tensor = tensor = load and tile.tensor_loads
        indices = ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)
        super().__init__({
            "engine": In(EnginePort(address_bits=config.host.address_bits)),
            "access": Out(stream.Signature(TaggedAccess(config, tensor=tensor))),
            "complete": In(stream.Signature(Completed(tags=requests), always_ready=True)),
            "busy": Out(1),
            "bytes": Out(13),
            **({"indices": Out(indices)} if tensor else {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.decode = decode = Decode(self.config, load=self.load)
        m.submodules.pattern = pattern = Pattern(self.config, tensor=self.tensor)
        m.submodules.in_flight = in_flight = InFlight(self.config, requests=self.requests)
        link(m, wiring.flipped(self.engine), in_flight.engine)
        link(m, in_flight.command, decode.command)
        link(m, wiring.flipped(self.complete), in_flight.complete)
        if self.tensor and self.config.tile.transpose:
            m.submodules.splitter = splitter = Splitter(self.config)
            link(m, decode.walk, splitter.walk)
            link(m, splitter.o, pattern.walk)
            m.d.comb += splitter.drop.eq(pattern.killed)
        else:
            link(m, decode.walk, pattern.walk)

        access = pattern.access.payload
        in_flight.connect(m, self, pattern)
        m.d.comb += [
            in_flight.entry.length.eq(access.length),
            in_flight.entry.address.eq(access.address),
        ]
        if self.tensor:
            link(m, pattern.indices, wiring.flipped(self.indices))
            # bytes that are not loaded are not counted
            with m.If(access.fill):
                m.d.comb += in_flight.entry.length.eq(0)
        return m
