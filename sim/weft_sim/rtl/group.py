"""Verilator's C++ in a few pieces of even size.

Verilator writes some thirty files for a chip, most of them tiny, and a compiler spends a second
on the headers of each. Pieces that include several files cost the headers once; there are
enough of them to keep two compilers busy.
"""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["group"]


def group(sources: Sequence[Path], folder: Path, name: str, piece_bytes: int) -> dict[Path, int]:
    """Files ``<name>_<i>.cpp`` in ``folder`` that together include all ``sources``, with their
    bytes.

    Each holds about ``piece_bytes``, or one file that is larger.
    """
    sizes = {source: source.stat().st_size for source in sources}
    count = max(1, round(sum(sizes.values()) / piece_bytes))
    pieces: list[list[Path]] = [[] for _ in range(count)]
    filled = [0] * count
    for source in sorted(sources, key=lambda source: (-sizes[source], source.name)):
        smallest = filled.index(min(filled))
        pieces[smallest].append(source)
        filled[smallest] += sizes[source]
    made = {}
    for i, piece in enumerate(pieces):
        if piece:
            target = folder / f"{name}_{i}.cpp"
            target.write_text("".join(f'#include "{source.name}"\n' for source in piece))
            made[target] = filled[i]
    return made
