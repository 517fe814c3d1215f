"""The control node: registers, command queue, fences, watchdog, probes."""

from .queue import CommandQueue
from .registers import RegisterFile

__all__ = ["CommandQueue", "RegisterFile"]
