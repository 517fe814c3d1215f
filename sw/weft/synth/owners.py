"""Whose register an instance is: the signal of the hardware description at its data pins."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["owner_of"]


def owner_of(netlist_json: Path, top: str, instance: str) -> str:
    """The signal (with its bit) that an instance holds, or a port's own name.

    Where mapping left none: the instance's name."""
    module = json.loads(netlist_json.read_text())["modules"][top]
    cell = module["cells"].get(instance)
    if cell is None:
        return instance
    bits = [
        bit
        for pin, (bit, *_) in sorted(cell["connections"].items(), reverse=True)
        if pin[0] in "QD"
    ]
    for bit in bits:
        names = [
            (name.count("."), name, entry["bits"].index(bit), len(entry["bits"]))
            for name, entry in module["netnames"].items()
            if bit in entry["bits"] and not entry.get("hide_name") and "$" not in name
        ]
        if names:
            _, name, index, width = min(names)
            return f"{name}[{index}]" if width > 1 else name
    return instance
