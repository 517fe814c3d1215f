"""A library of five cells with round numbers, for checks by hand: 1 fF, 1 ps, 1 V."""

from pathlib import Path

HEADER = """library (tiny) {
  delay_model : table_lookup;
  time_unit : "1ps";
  voltage_unit : "1V";
  current_unit : "1mA";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff);
  nom_voltage : 1.0;
  slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_rise : 80;
  slew_lower_threshold_pct_fall : 20; slew_upper_threshold_pct_fall : 80;
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
"""


def _timing(related: str, delay: float, kind: str = "combinational") -> str:
    tables = " ".join(
        f'{name} (scalar) {{ values ("{value}"); }}'
        for name, value in (
            ("cell_rise", delay),
            ("cell_fall", delay),
            ("rise_transition", 1.0),
            ("fall_transition", 1.0),
        )
    )
    return f'timing () {{ related_pin : "{related}"; timing_type : {kind}; {tables} }}'


def _power(rise: float, fall: float, related: str = "", rail: str = "") -> str:
    names = f'related_pin : "{related}"; ' if related else ""
    names += f"related_pg_pin : {rail}; " if rail else ""
    return (
        f'internal_power () {{ {names}rise_power (scalar) {{ values ("{rise}"); }} '
        f'fall_power (scalar) {{ values ("{fall}"); }} }}'
    )


def _gate(name: str, inputs: str, function: str, delay: float, area: float) -> str:
    pins = "\n".join(
        f"    pin ({pin}) {{ direction : input; capacitance : 2.0; }}" for pin in inputs
    )
    arcs = "\n".join(f"      {_timing(p, delay)}\n      {_power(3.0, 1.0, p)}" for p in inputs)
    return (
        f"  cell ({name}) {{\n    area : {area};\n    cell_leakage_power : 5.0;\n{pins}\n"
        f'    pin (Y) {{ direction : output; function : "{function}"; max_capacitance : 100;\n'
        f"{arcs}\n    }}\n  }}\n"
    )


FLOP = f"""  cell (DFF) {{
    area : 6.0;
    cell_leakage_power : 10.0;
    ff (IQ, IQN) {{ next_state : "D"; clocked_on : "CK"; }}
    pin (D) {{ direction : input; capacitance : 2.0; }}
    pin (CK) {{ direction : input; clock : true; capacitance : 2.0; {_power(4.0, 2.0)} }}
    pin (Q) {{ direction : output; function : "IQ"; max_capacitance : 100;
      {_timing("CK", 10.0, "rising_edge")} {_power(7.0, 7.0, "CK")} }}
  }}
"""
GATES = (
    _gate("INV", "A", "!A", 10.0, 1.0)
    + _gate("BUF", "A", "A", 10.0, 1.5)
    + _gate("NAND2", "AB", "!(A&B)", 10.0, 2.0)
    + _gate("XOR2", "AB", "A^B", 20.0, 4.0)
)


def write_tiny(path: Path, *, flop: bool = True, text: str = "") -> Path:
    """Writes the library."""
    path.write_text(HEADER + GATES + (FLOP if flop else "") + text + "}\n")
    return path
