"""What travels inside an endpoint: checked and planned requests, and answers."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..axi.bursts import Span
from ..isa import Status
from ..noc.packet import NodeAddress
from .realign import Realignment

__all__ = ["Access", "Answer", "Requester"]


class Requester(data.Struct):
    """Who asked, and the tag to give back."""

    node: NodeAddress
    tag: unsigned(8)


class Access(data.StructLayout):
    """A request after the window check, ready to be carried out: its beats, and how its bytes move.
    ``status`` is OK if it may be; else it is dropped. It ``reads`` or writes."""

    def __init__(self, *, address_bits, data_bytes):
        super().__init__({
            "requester": Requester,
            "reads": unsigned(1),
            "status": Status,
            "has_data": unsigned(1),
            "span": Span(address_bits=address_bits, data_bytes=data_bytes),
            "how": Realignment(data_bytes=data_bytes),
        })


class Answer(data.Struct):
    """What becomes the header of a response."""

    requester: Requester
    status: Status
    has_data: unsigned(1)
