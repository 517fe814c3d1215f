"""Writes a chip out for use elsewhere.

Verilog, port list, register map, configuration and FuseSoC core file, everything derived from the
configuration; files are rewritten only when they change, so that tools downstream can trust their
dates.
"""

import json
from pathlib import Path

from .boards.zynq import ZynqWrapper
from .chip import Chip
from .control.registers import register_map
from .toml_config import dumps
from .verilog import to_verilog

__all__ = ["WRAPPERS", "export_chip"]

#: What may be put around a chip: name -> component of the configuration.
WRAPPERS = {"zynq": ZynqWrapper}


def _write(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def _ports(component):
    return [
        {"name": "__".join(str(part) for part in path),
         "direction": "output" if member.flow.name == "Out" else "input",
         "width": len(value.as_value() if hasattr(value, "as_value") else value)}
        for path, member, value in component.signature.flatten(component)
    ]


def _registers(config):
    return [
        {"name": register.name, "offset": register.offset, "access": register.access.name.lower(),
         "reset": register.reset, "doc": register.doc}
        for register in register_map(config)
    ]


def _registers_markdown(config):
    lines = [f"# Register map of {config.name}", "",
             "32-bit registers, byte offsets, AXI4-Lite.", "",
             "| offset | name | access | reset | |", "|---|---|---|---|---|"]
    lines += [f"| 0x{row['offset']:03x} | {row['name']} | {row['access'].replace('_', ' ')} "
              f"| 0x{row['reset']:x} | {row['doc']} |"
              for row in _registers(config)]
    return "\n".join(lines) + "\n"


def _core(config, top):
    return f"""CAPI=2:
name: weft:accelerator:{config.name}:0.1.0
description: Weft accelerator, preset {config.name}, generated
filesets:
  rtl:
    files: [{top}.v]
    file_type: verilogSource-2005
targets:
  default:
    filesets: [rtl]
    toplevel: {top}
  lint:
    filesets: [rtl]
    toplevel: {top}
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
"""


def export_chip(config, folder, *, wrapper: str | None = None) -> list[Path]:
    """Writes the chip ``config`` into ``folder`` (made if missing), with a ``wrapper`` of
    ``WRAPPERS`` around it if one is named.

    Returns
    -------
    list of Path
        ``weft_<name>.v`` (``weft_<name>_<wrapper>.v``) first, then ``ports.json``,
        ``registers.json``, ``registers.md``, ``config.toml`` and the ``.core`` file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if wrapper is None:
        top, chip = f"weft_{config.name}", Chip(config)
        ports = [{"name": "clk", "direction": "input", "width": 1},
                 {"name": "rst", "direction": "input", "width": 1},
                 *_ports(chip)]
    else:
        top, chip = f"weft_{config.name}_{wrapper}", WRAPPERS[wrapper](config)
        ports = _ports(chip)
    return [
        _write(folder / f"{top}.v", to_verilog(chip, top, assertions=False).text),
        _write(folder / "ports.json", json.dumps({"top": top, "ports": ports}, indent=1) + "\n"),
        _write(folder / "registers.json", json.dumps(_registers(config), indent=1) + "\n"),
        _write(folder / "registers.md", _registers_markdown(config)),
        _write(folder / "config.toml", dumps(config)),
        _write(folder / f"{top}.core", _core(config, top)),
    ]
