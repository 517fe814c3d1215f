"""Performance counters of a tile, as its pages 1 and 2 report them."""

from dataclasses import astuple, dataclass

__all__ = ["TileCounters"]


@dataclass(slots=True)
class TileCounters:
    """Page 2, in order of its words."""

    array_steps: int = 0
    """Operand rows that entered the array."""
    bytes_loaded: int = 0
    bytes_stored: int = 0
    rows_drained: int = 0
    """Accumulator rows that the vector engine read."""
    request_flits: int = 0
    """Flits that the tile sent on the request plane."""
    response_flits: int = 0
    """Flits that the tile received on the response plane."""
    weight_stalls: int = 0
    """Cycles in which the array waited for weights."""
    scratchpad_conflicts: int = 0
    """Cycles in which a scratchpad port waited for another."""

    def words(self) -> tuple[int, ...]:
        """The page's 64-bit counters."""
        return astuple(self)
