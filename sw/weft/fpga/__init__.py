"""From a configuration to a bitstream: Yosys, nextpnr, ecppack, and what they say of size and
speed."""

from .fit import check_fit
from .flow import BLOCKS, FpgaRun, build_bitstream, time_block
from .report import Path, TimingReport, read_report

__all__ = [
    "BLOCKS",
    "FpgaRun",
    "Path",
    "TimingReport",
    "build_bitstream",
    "check_fit",
    "read_report",
    "time_block",
]
