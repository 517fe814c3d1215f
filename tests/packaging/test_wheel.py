"""What a user installs: all packages, their data files, the entry point."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_source_and_data_file_is_in_the_wheel(names):
    """A data file that only the checkout has."""
    tracked = subprocess.run(
        ["git", "ls-files", "hw/weft_hw", "sim/weft_sim", "sw/weft"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert len(tracked) > 100
    missing = [path for path in tracked if path.split("/", 1)[1] not in names]
    assert not missing


def test_the_entry_point_is_there(names):
    assert any(name.endswith("entry_points.txt") for name in names)


def test_import_directions():
    """hw imports nothing of sim or sw; sim nothing of sw; the fleet only configurations, data."""
    bad = []
    for path in ROOT.glob("*/weft*/**/*.py"):
        text = path.read_text()
        inside = path.relative_to(ROOT).as_posix()
        lines = [
            line.strip()
            for line in text.splitlines()
            if line.lstrip().startswith(("import ", "from "))
        ]
        for line in lines:
            words = line.replace(",", " ").split()
            module = words[1]
            if inside.startswith("hw/") and module.split(".")[0] in ("weft_sim", "weft"):
                bad.append(f"{inside}: {line}")
            if inside.startswith("sim/") and module.split(".")[0] == "weft":
                bad.append(f"{inside}: {line}")
            if (
                inside.startswith("sim/weft_sim/golden/")
                and module.startswith("weft_sim.")
                and ".golden" not in module
            ):
                bad.append(f"{inside}: {line}")
            if inside.startswith("sw/weft/fleet/") and (
                module.startswith("weft_sim")
                or (
                    module.startswith("weft_hw")
                    and module not in ("weft_hw.config", "weft_hw.presets", "weft_hw")
                )
            ):
                bad.append(f"{inside}: {line}")
    assert not bad


def test_no_file_is_too_long():
    """One concept a file: 500 lines of RTL at most, and no note to self left."""
    for path in ROOT.glob("hw/weft_hw/**/*.py"):
        text = path.read_text()
        assert text.count("\n") <= 500, path
        assert "TO" + "DO" not in text, path
