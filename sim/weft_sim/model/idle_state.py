"""What a chip with one tile keeps of its transfers when all of them are over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .target import ModelTarget

__all__ = ["counts", "restore_counts", "restore_turns", "turns"]

_TILE_COUNTS = ("bytes_loaded", "bytes_stored", "request_flits", "response_flits")
_CHIP_COUNTS = (
    "bytes_read",
    "bytes_written",
    "beats_read",
    "beats_written",
    "last_write_response_cycle",
)


def turns(chip: ModelTarget) -> tuple[Any, ...]:
    """Whose turn it is at the tile, at the memory port, and among the endpoint's answers."""
    tile, endpoint = chip.tiles[0], chip.endpoints[0]
    return tile.requests.last, endpoint.port.turn, endpoint.answers.read_turn


def restore_turns(chip: ModelTarget, values: tuple[Any, ...]) -> None:
    """Sets what ``turns`` gave."""
    tile, endpoint = chip.tiles[0], chip.endpoints[0]
    tile.requests.last, endpoint.port.turn, endpoint.answers.read_turn = values


def counts(chip: ModelTarget) -> tuple[int, ...]:
    """What transfers have been counted as."""
    counters = chip.tiles[0].counters
    tile = (getattr(counters, name) for name in _TILE_COUNTS)
    return *tile, *(chip.counts[name] for name in _CHIP_COUNTS)


def restore_counts(chip: ModelTarget, values: tuple[int, ...]) -> None:
    """Sets what ``counts`` gave."""
    split = len(_TILE_COUNTS)
    for name, value in zip(_TILE_COUNTS, values[:split], strict=True):
        setattr(chip.tiles[0].counters, name, value)
    chip.counts.update(zip(_CHIP_COUNTS, values[split:], strict=True))
