"""Layout of a mapped block: placed, routed, checked, drawn, and its wires measured."""
