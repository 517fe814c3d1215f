"""Boards: the chip with on-chip memory and a serial line, and the FPGAs it fits."""
