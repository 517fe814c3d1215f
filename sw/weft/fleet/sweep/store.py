"""Results on disk: Parquet parts that are only ever added, each written whole or not at all."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.fleet.errors import FleetError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Store", "load_results"]

STUDY = "study.json"


class Store:
    """A folder of parts belonging to one study.

    Raises
    ------
    FleetError
        if the folder holds results of another study.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / STUDY
        if mark.exists():
            found = json.loads(mark.read_text(encoding="utf-8")).get("fingerprint")
            if found != fingerprint:
                raise FleetError(
                    f"{folder} holds results of another scenario, draws or seed; give an empty "
                    "folder, or delete it"
                )
        else:
            mark.write_text(json.dumps({"fingerprint": fingerprint}), encoding="utf-8")
        parts = [int(p.stem.split("-")[1]) for p in folder.glob("part-*.parquet")]
        self._next = max(parts, default=-1) + 1

    def done(self) -> set[str]:
        """Designs that have a record."""
        import pyarrow.parquet as pq

        found: set[str] = set()
        for path in sorted(self._folder.glob("part-*.parquet")):
            found.update(pq.read_table(path, columns=["design"])["design"].to_pylist())
        return found

    def append(self, records: list[dict[str, Any]]) -> None:
        """Write one more part; a reader sees all of it or none."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._folder / f"part-{self._next:06d}.parquet"
        draft = path.with_suffix(".tmp")
        pq.write_table(pa.Table.from_pylist(records), draft)
        os.replace(draft, path)
        self._next += 1


def load_results(folder: Path | str) -> "pd.DataFrame":
    """Every record of a study's folder as a pandas table."""
    import pandas as pd

    parts = sorted(Path(folder).glob("part-*.parquet"))
    if not parts:
        raise FleetError(f"{folder} holds no results; run weft sweep first")
    return pd.concat([pd.read_parquet(p) for p in parts], ignore_index=True)
