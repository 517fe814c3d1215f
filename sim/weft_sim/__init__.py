"""Weft's simulation: goldens, cycle model, compiled RTL, verification agents."""
