"""Benches for blocks: build and run (``run_bench``), clock and reset (``Bench``), stream agents,
payloads.
"""

from .clocking import Bench
from .payload import pack, unpack
from .runner import run_bench
from .streams import StreamMonitor, StreamSink, StreamSource

__all__ = [
    "Bench",
    "StreamMonitor",
    "StreamSink",
    "StreamSource",
    "pack",
    "run_bench",
    "unpack",
]
