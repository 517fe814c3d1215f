"""The generated header ``chip.h``: which pins of the compiled model are which port of the harness.

It is written from the ports of the Verilog, so the harness fits any chip that has the top-level
ports of ``hw/README.md``, whatever their widths and numbers.
"""

import re
from string import Template

from weft_hw.isa import Engine

from .ports import Port, top_ports

__all__ = ["bindings"]

_ADDRESS = ("id", "addr", "len", "size", "burst", "valid", "ready")
_AXI4 = (
    *(f"aw{name}" for name in _ADDRESS),
    *(f"w{name}" for name in ("data", "strb", "last", "valid", "ready")),
    *(f"b{name}" for name in ("id", "resp", "valid", "ready")),
    *(f"ar{name}" for name in _ADDRESS),
    *(f"r{name}" for name in ("id", "data", "resp", "last", "valid", "ready")),
)
_AXI_LITE = (
    "awaddr awvalid awready wdata wstrb wvalid wready bresp bvalid bready "
    "araddr arvalid arready rdata rresp rvalid rready"
).split()
_TRACE = re.compile(r"trace__(\d+)__(\w+?)__start$")
_CPP_WORDS = frozenset({"interrupt"})
_BEAT_BITS = (32, 64, 128, 256, 512, 1024)

_HEADER = Template("""// Generated from the ports of $top; do not edit.
#pragma once

#include <V$top.h>

#include <array>
#include <cstddef>

#include "failure.h"
#include "signals.h"

namespace weft {

using Model = V$top;

constexpr unsigned memory_ports = $endpoints;
constexpr std::size_t engine_count = $engine_count;

using MemorySignals = $memory_type;
using HostSignals = $host_type;
using RegisterSignals = AxiLiteSignals<$register_address>;

inline const CData& interrupt_signal(const Model& model) {
    return $interrupt;
}

inline MemorySignals memory_signals(Model& model, unsigned index) {
    switch (index) {
$memory
        default: throw Failure(Status::internal, "no such memory port");
    }
}

inline HostSignals host_signals(Model& model) {
    return $host;
}

inline RegisterSignals register_signals(Model& model) {
    return $registers;
}

inline std::array<EngineSignals, engine_count> engine_signals([[maybe_unused]] Model& model) {
    return {{
$engines
    }};
}

}  // namespace weft
""")


def bindings(verilog: str, top: str) -> str:
    """The C++ header for the chip ``top`` in ``verilog``.

    Raises
    ------
    ValueError
        naming a port that is missing or has a width that the harness cannot serve.
    """
    ports = top_ports(verilog, top)
    for name in ("clk", "rst", "interrupt"):
        _port(ports, name)
    endpoints = sum(1 for name in ports if re.fullmatch(r"memory__\d+__awvalid", name))
    if endpoints == 0:
        raise ValueError("the chip must have a port memory__0, and has none")
    memory = [_axi4(ports, f"memory__{i}__", "MemorySignals") for i in range(endpoints)]
    engines = _engines(ports)
    return _HEADER.substitute(
        top=top,
        endpoints=endpoints,
        engine_count=len(engines),
        interrupt=_pin("interrupt"),
        memory_type=_axi4_type(ports, "memory__0__"),
        host_type=_axi4_type(ports, "host__"),
        register_address=_pin_type(_port(ports, "registers__awaddr")),
        memory="\n".join(f"        case {i}: return {text};" for i, text in enumerate(memory)),
        host=_axi4(ports, "host__", "HostSignals"),
        registers=_pins(ports, "registers__", _AXI_LITE, "RegisterSignals"),
        engines="\n".join(f"        {text}," for text in engines),
    )


def _port(ports: dict[str, Port], name: str) -> Port:
    if name not in ports:
        raise ValueError(f"the chip must have a port {name}, and has none")
    return ports[name]


def _pin(name: str) -> str:
    # Verilator spells words of C++ compilers and double underscores in its own way
    mangled = f"__SYM__{name}" if name in _CPP_WORDS else name.replace("__", "___05F")
    return f"model.{mangled}"


def _pin_type(port: Port) -> str:
    for bits, name in ((8, "CData"), (16, "SData"), (32, "IData"), (64, "QData")):
        if port.width_bits <= bits:
            return name
    return f"VlWide<{(port.width_bits + 31) // 32}>"


def _pins(ports: dict[str, Port], prefix: str, names: tuple | list, kind: str) -> str:
    members = ", ".join(f".{name} = {_pin(_port(ports, prefix + name).name)}" for name in names)
    return f"{kind}{{{members}}}"


def _axi4(ports: dict[str, Port], prefix: str, kind: str) -> str:
    if _axi4_type(ports, prefix) != _axi4_type(ports, "memory__0__") and kind == "MemorySignals":
        raise ValueError(f"the memory ports must have equal widths, and {prefix[:-2]} differs")
    return _pins(ports, prefix, _AXI4, kind)


def _axi4_type(ports: dict[str, Port], prefix: str) -> str:
    data = _port(ports, prefix + "wdata")
    if data.width_bits not in _BEAT_BITS:
        raise ValueError(
            f"{data.name} must have {', '.join(map(str, _BEAT_BITS))} bits, not {data.width_bits}"
        )
    members = (_port(ports, prefix + name) for name in ("awaddr", "wdata", "wstrb"))
    return f"Axi4Signals<{', '.join(_pin_type(port) for port in members)}>"


def _engines(ports: dict[str, Port]) -> list[str]:
    """An initialiser for each engine, by tile and engine number."""
    numbers = {engine.name.lower(): engine.value for engine in Engine.__members__.values()}
    found = []
    for name in ports:
        match = _TRACE.match(name)
        if match:
            tile, engine = int(match[1]), match[2]
            number = int(engine) if engine.isdecimal() else numbers.get(engine)
            if number is None:
                raise ValueError(
                    f"{name} must name an engine ({', '.join(numbers)}), not {engine!r}"
                )
            prefix = name.removesuffix("start")
            members = ("start", "start_index", "finish", "finish_index")
            pins = ", ".join(f"&{_pin(_port(ports, prefix + member).name)}" for member in members)
            found.append((tile, number, f"{{{tile}, {number}, {pins}}}"))
    return [text for _, _, text in sorted(found)]
