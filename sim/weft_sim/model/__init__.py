"""The bit-exact functional and timing model of a whole chip, behind the ``Target`` protocol.

It executes the command stream that the driver puts into the ring, moves the same bytes, reports the
same errors and predicts the cycle of every engine event, at the granularity of commands, DMA
requests and matmul blocks: never cycle by cycle.
"""

from .target import ModelTarget

__all__ = ["ModelTarget"]
