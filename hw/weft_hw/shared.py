"""``share``: emits identical components once.

A mesh has many identical tiles and an array many identical rows. ``share(component)`` elaborates to
the component itself, or, when a ``ShareLibrary`` is the platform (as ``weft_hw.verilog`` does), to
an instance of a module that is emitted once. The Verilog stays small, elaboration is quick, and
Verilator compiles the module once. A shared component has an attribute ``shared_name``: a module
name that is the same exactly for components that are identical.
"""

import re

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Elaboratable, Instance, ResetSignal

from .streams.link import members

__all__ = ["ShareLibrary", "share"]

_PORT = re.compile(
    r"^  wire (?:width \d+ )?(?:signed )?(?:input|output) \d+ +(?:signed )?\\(\S+)$", re.MULTILINE)


def share(component):
    """The component as a submodule that may be emitted once. ``component`` has ``shared_name``."""
    return _Shared(component)


class _Shared(Elaboratable):
    def __init__(self, component):
        self.component = component

    def elaborate(self, platform):
        if isinstance(platform, ShareLibrary):
            return platform.instance(self.component)
        return self.component


class ShareLibrary:
    """Collects the RTLIL of shared components, by name: the platform of the conversion."""

    def __init__(self):
        self.modules = {}
        self._ports = {}
        self._signatures = {}

    def instance(self, component):
        """An ``Instance`` of the shared module, whose ports are the members of ``component``."""
        name = component.shared_name
        if name not in self.modules:
            self._signatures[name] = members(component.signature, component)
            self.modules[name] = None
            text = rtlil.convert(component, name=name, platform=self, emit_src=False)
            # the top module is the last one in the text
            top = text[text.rindex(f"module \\{name}\n"):]
            self._ports[name] = set(_PORT.findall(top))
            self.modules[name] = text
        else:
            # a twin is described by the module already emitted
            component._MustUse__used = True
        if self._signatures[name] != members(component.signature, component):
            raise ValueError(
                f"shared_name {name} must belong to one interface, not two different ones")
        ports = {}
        for path, member, value in component.signature.flatten(component):
            port = "__".join(str(part) for part in path)
            if port in self._ports[name]:
                ports[("o_" if member.flow.name == "Out" else "i_") + port] = value
        if "clk" in self._ports[name]:
            ports["i_clk"] = ClockSignal()
        if "rst" in self._ports[name]:
            ports["i_rst"] = ResetSignal()
        return Instance(name, **ports)
