"""From components to Verilog text: one module for each distinct shared component.

``to_verilog(component, name)`` returns the text and the names of the shared modules, so that a
simulator can be told to keep them as modules (that is what makes big arrays and meshes compile
fast).
"""

import os
import re
from dataclasses import dataclass

from amaranth.back import rtlil, verilog

from .shared import ShareLibrary

__all__ = ["LINT_WAIVERS", "UNINITIALISED", "Verilog", "to_verilog"]

#: Verilator lint classes that generated Verilog triggers without harm, and why. Others are errors.
LINT_WAIVERS = {
    "WIDTHEXPAND": "Amaranth widens operands by its own rules before Verilator sees them",
    "WIDTHTRUNC": "Amaranth truncates on assignment by its own rules",
    "SYMRSVDWORD": "a port may be called abort; Verilator renames it in its C++ only",
    "UNSIGNED": "a range check of parametrised code is constant for some sizes",
    "CASEINCOMPLETE": "a state machine lists the states it has; every signal has its default "
                      "before the case",
}

#: Attributes of a memory that has no contents at power-on (an SRAM macro). Without it every row
#: gets a line of Verilog.
UNINITIALISED = {"weft_uninitialised": 1}

_MODULE = re.compile(r"^module .*?^end$", re.MULTILINE | re.DOTALL)
_MARKED = re.compile(
    r"^  attribute \\weft_uninitialised 1\n(?:  attribute .*\n)*  memory .* (\\\S+)$", re.MULTILINE)
_INIT = re.compile(r"^  cell \$meminit_v2 .*?^  end\n", re.MULTILINE | re.DOTALL)
_CHECK = re.compile(r"^  cell \$check .*?^  end\n", re.MULTILINE | re.DOTALL)
_MEMORY_OF = re.compile(r'\\MEMID "\\(\\[^"]+)"')


@dataclass(frozen=True, slots=True)
class Verilog:
    """Generated Verilog. ``shared`` lists the modules emitted once and instantiated often."""

    top: str
    text: str
    shared: tuple[str, ...]


def to_verilog(component, name: str, *, assertions: bool = True) -> Verilog:
    """Converts ``component`` to Verilog with the top module ``name``. Internal attributes and
    source paths are left out, so equal hardware gives equal text. ``assertions`` keeps hardware
    assertions, which need a tool that knows SystemVerilog's immediate ``assert``."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    library = ShareLibrary()
    top = rtlil.convert(component, name=name, platform=library, emit_src=False)
    text = _MODULE.sub(_drop_initial_contents, "\n".join([*library.modules.values(), top]))
    if not assertions:
        text = _CHECK.sub("", text)
    return Verilog(top=name, text=verilog._convert_rtlil_text(text, strip_internal_attrs=True),
                   shared=tuple(library.modules))


def _drop_initial_contents(module):
    """RTLIL of one module without the initial contents of memories marked ``UNINITIALISED``."""
    text = module.group()
    marked = set(_MARKED.findall(text))
    if not marked:
        return text
    return _INIT.sub(
        lambda cell: "" if _MEMORY_OF.search(cell.group())[1] in marked else cell.group(), text)
