"""What travels inside an endpoint: checked requests and answers."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..isa import Status
from ..noc.packet import NodeAddress, RequestKind

__all__ = ["Access", "Answer", "Requester"]


class Requester(data.Struct):
    """Who asked, and the tag to give back."""

    node: NodeAddress
    tag: unsigned(8)


class Access(data.StructLayout):
    """A request after the window check. ``status`` is OK if it may be carried out."""

    def __init__(self, *, address_bits):
        super().__init__({
            "requester": Requester,
            "kind": RequestKind,
            "status": Status,
            "has_data": unsigned(1),
            "length": unsigned(13),
            "address": unsigned(address_bits),
        })


class Answer(data.Struct):
    """What becomes the header of a response."""

    requester: Requester
    status: Status
    has_data: unsigned(1)
