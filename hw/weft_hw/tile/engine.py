"""The contract between a tile's front ends and its four engines.

A front end (``frontend.py``) holds the queue, takes the semaphores and hands the command over; the
engine runs it and answers with one ``Done`` for each command, in order. An engine may accept a
command before it is done with the one before. While ``abort`` is high an engine brings what it runs
to a clean end early (nothing in flight, every memory port quiet) and answers ABORTED; front ends
answer ABORTED themselves for commands not handed over, and withdraw the one they offer.
"""

from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa import CommandWord, Status

__all__ = ["Done", "EnginePort"]


class Done(data.StructLayout):
    """The end of a command. ``address``: the offending memory address or local row of an error."""

    def __init__(self, *, address_bits):
        super().__init__({
            "index": unsigned(32),
            "signal": unsigned(16),
            "status": Status,
            "address": unsigned(max(32, address_bits)),
        })


class EnginePort(wiring.Signature):
    """Commands to an engine and their ends, seen from the front end."""

    def __init__(self, *, address_bits):
        super().__init__({
            "command": Out(stream.Signature(CommandWord)),
            "done": In(stream.Signature(Done(address_bits=address_bits))),
            "abort": Out(1),
        })
