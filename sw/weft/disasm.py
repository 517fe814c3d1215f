"""Commands as text, and the reference page of instruction set and registers, from the hardware's
own objects.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from enum import Enum

import numpy as np
from weft_hw import isa
from weft_hw.config import ChipConfig
from weft_hw.control.registers import register_map
from weft_hw.formats import table as formats
from weft_hw.isa import COMMANDS, Opcode, transfers
from weft_hw.vector import microcode

from .commands import FIELDS, Command, as_array, layout_fields, unpack

__all__ = ["command_text", "listing", "reference_page"]

_HEADER_NAMES = ("opcode", "tile_x", "tile_y", "wait", "signal")
#: From this field on, a listing names only those that are not zero: what most commands do not use.
_OPTIONAL_FROM = {
    Opcode.LOAD: "more_1",
    Opcode.STORE: "to_tiles",
    Opcode.MATMUL: "format",
    Opcode.RUN: "stream0_row",
}


def _mask(bits: int) -> str:
    return ",".join(str(number) for number in range(bits.bit_length()) if bits >> number & 1)


def command_text(command: bytes | np.ndarray | Command) -> str:
    """One line: opcode, tile, the fields that count, semaphores taken and given.

    >>> from weft.commands import pack
    >>> command_text(pack(Opcode.NOP, tile=(1, 0), engine=1, wait=0b101, signal=2))
    'NOP (1,0) engine=MATMUL wait[0,2] signal[1]'
    """
    decoded = command if isinstance(command, Command) else unpack(command)
    opcode = decoded.opcode
    name = opcode.name if isinstance(opcode, Opcode) else f"UNKNOWN(0x{opcode:02x})"
    words = [name]
    if opcode is not Opcode.FENCE:
        words.append(f"({decoded.fields['tile_x']},{decoded.fields['tile_y']})")
    if isinstance(opcode, Opcode):
        optional = False
        for field in FIELDS[opcode].values():
            optional |= field.name == _OPTIONAL_FROM.get(opcode)
            if field.name in _HEADER_NAMES:
                continue
            value = decoded.fields[field.name]
            if optional and value == 0:
                continue
            if field.enum is not None:
                try:
                    text = field.enum(value).name
                except ValueError:
                    text = f"{value}?"
            elif "address" in field.name:
                text = f"0x{value:x}"
            else:
                text = str(value)
            words.append(f"{field.name}={text}")
    for what in ("wait", "signal"):
        if decoded.fields[what]:
            words.append(f"{what}[{_mask(decoded.fields[what])}]")
    return " ".join(words)


def listing(commands: Iterable[bytes] | np.ndarray, first_index: int = 0) -> str:
    """One line for each command, with its ring index from ``first_index`` on."""
    rows = as_array(commands)
    return "\n".join(
        f"{first_index + number:6d}  {command_text(row)}" for number, row in enumerate(rows)
    )


def _doc(thing: type) -> str:
    """The docstring, after those of the private bases it shares its fields with."""
    bases = [base for base in thing.__mro__[1:] if base.__module__ == thing.__module__]
    texts = [base.__doc__ or "" for base in (*bases, thing)]
    return " ".join(" ".join(texts).split())


def _member_docs(cls: type) -> dict[str, str]:
    """Strings that stand right after a member in the source of its class."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ != cls.__module__:
            continue
        lines = inspect.getsource(base).splitlines()
        text, member = "", ""
        for line in lines:
            stripped = line.strip()
            if text or stripped.startswith('"""'):
                text = f"{text} {stripped}".strip()
                if text.endswith('"""') and len(text) > 3:
                    if member:
                        docs[member] = text.strip('"').strip().replace("|", "\\|")
                    text = ""
            elif stripped.split("=")[0].split(":")[0].strip().isidentifier():
                member = stripped.split("=")[0].split(":")[0].strip()
    return docs


def _layout_table(layout: type) -> list[str]:
    docs = _member_docs(layout)
    if issubclass(layout, isa.RunCommand):
        stream = {**_member_docs(isa.StreamOperand), "row": _doc(isa.StreamOperand)}
        docs |= {f"stream0_{name}": text for name, text in stream.items()}
        docs["scalar0"] = docs.get("scalars", "")
    rows = ["| bits | field | kind | meaning |", "|---|---|---|---|"]
    for field in layout_fields(layout).values():
        kind = field.enum.__name__ if field.enum else ("signed" if field.signed else "unsigned")
        high = field.offset + field.width - 1
        rows.append(
            f"| {high}:{field.offset} | `{field.name}` | {kind} | {docs.get(field.name, '')} |"
        )
    return rows


def _enum_table(enum: type[Enum]) -> list[str]:
    docs = _member_docs(enum)
    rows = ["| value | name | meaning |", "|---|---|---|"]
    for name, item in enum.__members__.items():
        rows.append(f"| {item.value} | {name} | {docs.get(name, '')} |")
    return rows


def reference_page(config: ChipConfig) -> str:
    """The instruction set and the register map of ``config``, as Markdown."""
    page = [
        "# Weft: instruction set and registers",
        "",
        f"Generated from the hardware description, configuration `{config.name}`.",
        "",
        "## Commands",
        "",
        *(inspect.getdoc(isa) or "").splitlines(),
        "",
        *(inspect.getdoc(transfers) or "").splitlines(),
        "",
        "Every command begins with this header:",
        "",
        *_layout_table(isa.CommandHeader),
    ]
    header = layout_fields(isa.CommandHeader)
    for opcode, layout in COMMANDS.items():
        rows = [
            row for row in _layout_table(layout) if not any(f"`{name}`" in row for name in header)
        ]
        page += ["", f"### {opcode.value} {opcode.name}", "", _doc(layout), "", *rows]
    page += ["", "### Completion record", "", _doc(isa.CompletionRecord), ""]
    page += _layout_table(isa.CompletionRecord)
    for enum in (isa.Engine, isa.VectorOutput, isa.Status):
        page += ["", f"## {enum.__name__}", "", _doc(enum), "", *_enum_table(enum)]
    page += [
        "",
        "## Formats",
        "",
        *(inspect.getdoc(formats) or "").splitlines(),
        "",
        *_enum_table(formats.Format),
        "",
        "## Microinstructions",
        "",
        *(inspect.getdoc(microcode) or "").splitlines(),
        "",
        _doc(microcode.Instruction),
        "",
        *_layout_table(microcode.Instruction),
    ]
    for codes in (microcode.Op, microcode.Source, microcode.Fill):
        page += ["", f"### {codes.__name__}", "", _doc(codes), "", *_enum_table(codes)]
    page += [
        "",
        "## Registers",
        "",
        "| offset | name | access | reset | meaning |",
        "|---|---|---|---|---|",
    ]
    page += [
        f"| 0x{register.offset:03x} | {register.name} | {register.access.name.lower()} "
        f"| 0x{register.reset:x} | {register.doc.replace('|', chr(92) + '|')} |"
        for register in register_map(config)
    ]
    return "\n".join(page) + "\n"
