"""Cell libraries by node: which files of a folder make one library, and what node it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import LibertyError
from .library import CellLibrary, default_library, load_library
from .tools import OSU018

__all__ = ["NODES", "Node", "find_nodes"]


@dataclass(frozen=True, slots=True)
class Node:
    """A library that is recognised. ``files`` are patterns in ``folder``; ``period_ps`` the period
    that mapping works towards."""

    name: str
    node_nm: int
    folder: str
    files: tuple[str, ...]
    period_ps: float
    kind: str
    """"manufactured" or "predictive"."""
    origin: str

    def paths(self, pdk: Path | None) -> list[Path]:
        """Its files under ``pdk``; none if they are not there."""
        if not self.folder:
            return [OSU018] if OSU018.is_file() else []
        if pdk is None:
            return []
        found = [
            path for pattern in self.files for path in sorted((pdk / self.folder).glob(pattern))
        ]
        return found if len(found) >= len(self.files) else []

    def load(self, pdk: Path | None) -> CellLibrary:
        """The library.

        Raises
        ------
        LibertyError, ToolError
            if its files are missing or unusable.
        """
        if not self.folder:
            return default_library()
        paths = self.paths(pdk)
        if not paths:
            raise LibertyError(
                f"{pdk} has no {self.folder}/{self.files[0]}: give the folder of the libraries"
            )
        return load_library(paths, self.name)


NODES = {
    node.name: node
    for node in (
        Node("osu018", 180, "", (), 3000, "manufactured",
            "OSU standard cells, Debian qflow-tech-osu018"),
        Node(
            "sky130hd", 130, "sky130hd", ("sky130_fd_sc_hd__tt_*.lib*",), 2000, "manufactured",
            "SkyWater high-density cells",
        ),
        Node(
            "ihp130", 130, "ihp-sg13g2", ("sg13g2_stdcell_typ_*.lib*",), 2000, "manufactured",
            "IHP SG13G2 cells",
        ),
        Node(
            "nangate45", 45, "nangate45", ("nangate45_typ.lib*",), 700, "predictive",
            "NanGate open cells on FreePDK45",
        ),
        Node(
            "asap7", 7, "asap7", ("asap7sc7p5t_*_RVT_TT_nldm_*.lib*",), 300, "predictive",
            "ASAP7 7.5-track RVT cells",
        ),
        Node("gt2n_svt", 2, "gt2n", ("gt2_6t_w31_svt_*.lib*",), 150, "predictive", "GT2N w31 SVT"),
        Node("gt2n_lvt", 2, "gt2n", ("gt2_6t_w31_lvt_*.lib*",), 120, "predictive", "GT2N w31 LVT"),
    )
}  # fmt: skip


def find_nodes(pdk: Path | None) -> list[Node]:
    """Nodes whose files are there.

    Raises
    ------
    LibertyError
        if ``pdk`` is given and holds none.
    """
    found = [node for node in NODES.values() if node.paths(pdk)]
    if pdk is not None and not any(node.folder for node in found):
        known = ", ".join(dict.fromkeys(node.folder for node in NODES.values() if node.folder))
        raise LibertyError(
            f"{pdk} holds none of the folders {known}: give the folder of the libraries"
        )
    return found
