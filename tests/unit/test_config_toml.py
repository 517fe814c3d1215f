"""Configurations as TOML: they come back equal, and every mistake is named with its line."""

import pytest
from weft_hw import toml_config
from weft_hw.presets import PRESETS, preset

_NANO = toml_config.dumps(preset("nano"))


@pytest.mark.parametrize("name", PRESETS)
def test_round_trip(name, tmp_path):
    """A field is left out of the file, or comes back as another type."""
    path = tmp_path / "chip.toml"
    toml_config.save(preset(name), path)
    assert toml_config.load(path) == preset(name)


def _line_of(text: str, start: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if line.startswith(start))


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        (
            "array_rows = 4",
            "array_row = 4",
            "array_row ",
            "unknown key 'array_row'; allowed are array_rows,",
        ),
        (
            "name = ",
            "title = ",
            "title",
            "the file has the unknown key 'title'; allowed are name, tile",
        ),
        ("[mesh]", "[grid]", "[grid]", "unknown key 'grid'; allowed are name, tile, mesh, host"),
        (
            "cols = 1\n",
            "",
            "[mesh]",
            r"\[mesh\] lacks the key 'cols' \(usually 1\); needed are cols, rows",
        ),
        (
            "array_rows = 4",
            'array_rows = "four"',
            "array_rows",
            "array_rows must be an integer, not 'four'",
        ),
        (
            "array_rows = 4",
            "array_rows = true",
            "array_rows",
            "array_rows must be an integer, not True",
        ),
        (
            "tensor_loads = true",
            "tensor_loads = 1",
            "tensor_loads",
            "tensor_loads must be True or False, not 1",
        ),
        (
            "tensor_loads = true\ntranspose = false",
            "tensor_loads = false\ntranspose = true",
            "tensor_loads",
            "tensor_loads must be True for transpose, whose loads they are, not False",
        ),
        (
            "array_rows = 4",
            "array_rows = 6",
            "array_rows",
            "array_rows must be a power of two, not 6",
        ),
        (
            "scratchpad_banks = 4",
            "scratchpad_banks = 64",
            "scratchpad_banks",
            "must be between 1 and 16, not 64",
        ),
        ("memory_endpoints = 1", "memory_endpoints = 3", "memory_endpoints", r"at most rows \(1\)"),
        ("array_cols = 4", "array_cols = 8", "array_rows", "array_rows must equal array_cols"),
        (
            "max_packet_bytes = 256",
            "max_packet_bytes = 2048",
            "max_packet_bytes",
            "at most 255 rows",
        ),
        ('name = "nano"', "name = 7", "name", "name must be a string, not 7"),
        ('name = "nano"', 'name = "a b"', "name", "name must be a word"),
        (
            "address_bits = 40",
            "address_bits = 40.0",
            "address_bits",
            "must be an integer, not 40.0",
        ),
        ("array_rows = 4", "array_rows = = 4", "array_rows", "is not valid TOML: invalid value"),
    ],
)
def test_mistakes_have_a_line(old, new, at, message):
    """A mistake is silently ignored, or reported without saying where."""
    text = _NANO.replace(old, new, 1)
    assert text != _NANO
    with pytest.raises(ValueError, match=message) as caught:
        toml_config.loads(text, "chip.toml")
    assert str(caught.value).startswith(f"chip.toml:{_line_of(text, at)}: ")
    assert "\n" not in str(caught.value)


def test_formats_must_be_strings():
    """A list of numbers is taken for formats."""
    text = "\n".join(
        "formats = [8]" if line.startswith("formats") else line
        for line in _NANO.replace('[\n    "int8",\n]', '["int8"]').splitlines()
    )
    with pytest.raises(ValueError, match="formats must be a list of strings, not "):
        toml_config.loads(text)


def test_table_must_be_a_table():
    """A number in place of a table ends in a traceback."""
    text = "name = 'nano'\ntile = 3\nmesh = 1\nhost = 2\n"
    with pytest.raises(ValueError, match=r"<string>:2: tile must be a table \[tile\], not 3"):
        toml_config.loads(text)


def test_cut_off_file():
    """A file that ends in the middle of a line has no line number."""
    with pytest.raises(ValueError, match=r"^x:\d+: is not valid TOML: "):
        toml_config.loads(_NANO[: _NANO.index("[tile]") + 4], "x")


def test_file_that_is_not_there(tmp_path):
    """A missing file ends in a traceback."""
    with pytest.raises(ValueError, match=r"none.toml: cannot be read: No such file"):
        toml_config.load(tmp_path / "none.toml")


def test_file_that_is_not_text(tmp_path):
    """A binary file ends in a UnicodeDecodeError."""
    path = tmp_path / "chip.toml"
    path.write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        toml_config.load(path)


def test_dumps_wants_a_configuration():
    """A preset's name is written as if it were a configuration."""
    with pytest.raises(TypeError, match="config must be a ChipConfig, not 'nano'"):
        toml_config.dumps("nano")
