"""A Verilog module around the chip that makes one evaluation a cycle enough.

Verilator finds a clock edge by comparing the clock with its value at the last evaluation, so
the usual clock needs two evaluations a cycle, and each first works out all logic that hangs on
the chip's inputs. Here the inputs pass through registers, and all registers take both edges of
``clk``: each toggle is a cycle, the inputs change with the state, and after the evaluation
every output is settled for the new cycle. The chip itself sees what it would see anyway.
"""

from weft_hw.verilog import Verilog

from .ports import Port, top_ports

__all__ = ["wrap"]

_EDGE = "@(posedge clk)"
_BOTH_EDGES = "@(edge clk)"


def wrap(design: Verilog, *, both_edges: bool) -> Verilog:
    """``design`` with registers before its inputs, as the module ``<top>_stepped`` with the
    same ports.

    With ``both_edges`` each toggle of ``clk`` is a cycle, else each rising edge.
    """
    top = f"{design.top}_stepped"
    ports = top_ports(design.text, design.top)
    edge = _BOTH_EDGES if both_edges else _EDGE
    names = ", ".join(ports)
    registered = [
        port for port in ports.values() if port.direction == "input" and port.name != "clk"
    ]
    inner = {port.name: f"{port.name}_now" for port in registered}
    lines = [f"module {top}({names});"]
    lines += [f"  {port.direction} {_range(port)}{port.name};" for port in ports.values()]
    lines += [f"  reg {_range(port)}{inner[port.name]};" for port in registered]
    lines += [f"  always {edge} begin"]
    lines += [f"    {inner[port.name]} <= {port.name};" for port in registered]
    lines += ["  end", f"  {design.top} pins ("]
    lines += [",\n".join(f"    .{name}({inner.get(name, name)})" for name in ports)]
    lines += ["  );", "endmodule", ""]
    text = design.text.replace(_EDGE, edge) if both_edges else design.text
    return Verilog(top=top, text=text + "\n" + "\n".join(lines), shared=design.shared)


def _range(port: Port) -> str:
    return f"[{port.width_bits - 1}:0] " if port.width_bits > 1 else ""
