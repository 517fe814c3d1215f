"""Listings and the reference page."""

import json

import pytest
from weft.cli import main
from weft.commands import FIELDS, pack
from weft.disasm import command_text, listing, reference_page
from weft_hw.control.registers import register_map
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode, Status
from weft_hw.presets import preset
from weft_hw.vector.microcode import Fill, Op, Source


def test_lines():
    """A listing shows raw numbers where there are names."""
    load = pack(
        Opcode.LOAD, tile=(1, 0), memory_address=0x1000, row_bytes=16, rows=4, wait=5, signal=2
    )
    assert command_text(load) == (
        "LOAD (1,0) memory_address=0x1000 memory_stride=0 row_bytes=16 rows=4 local_row=0 "
        "local_stride=0 endpoint=0 wait[0,2] signal[1]"
    )
    store = pack(Opcode.STORE, rows=2, local_row=5, to_tiles=1, x_last=3, remote_signal=4)
    assert command_text(store).endswith("endpoint=0 to_tiles=1 x_last=3 remote_signal=4")
    matmul = command_text(pack(Opcode.MATMUL, m=1, format=Format.BF16))
    assert matmul.endswith("accumulate=0 format=BF16")
    assert command_text(pack(Opcode.RUN, stream1_row=3, stream1_format=6, scalar2=9, m=1, n=2)) == (
        "RUN (0,0) stream1_row=3 stream1_format=FP32 m=1 n=2 scalar2=9"
    )
    assert "output=INT32" in command_text(pack(Opcode.VECTOR, output=1))
    assert "output=3?" in command_text(pack(Opcode.VECTOR, output=3))
    assert command_text(pack(Opcode.FENCE, sequence=3)) == "FENCE sequence=3 interrupt=0"
    assert command_text(bytes([200]) + bytes(63)) == "UNKNOWN(0xc8) (0,0)"


def test_listing_counts_from_the_first_index():
    """A listing of the ring's tail is numbered from zero."""
    lines = listing([pack(Opcode.NOP)] * 2, first_index=41).splitlines()
    assert [line.split()[0] for line in lines] == ["41", "42"]


def test_reference_page_is_complete():
    """A command, field, status or register is missing from the page."""
    config = preset("quad")
    page = reference_page(config)
    for opcode, fields in FIELDS.items():
        assert f"### {opcode.value} {opcode.name}\n" in page
        for name in fields:
            assert f"| `{name}` |" in page
    for status in Status:
        assert f"| {status.value} | {status.name} |" in page
    for register in register_map(config):
        assert f"| 0x{register.offset:03x} | {register.name} |" in page
    assert "A memory address that no access window grants." in page
    assert "a store writes exactly" in page
    for enum in (Format, Op, Source, Fill):
        for item in enum:
            assert f"| {item.value} | {item.name} |" in page
    assert "| `permute_bit` |" in page


def test_verb(tmp_path, capsys):
    """The command line prints something else than the functions."""
    path = tmp_path / "program.bin"
    path.write_bytes(pack(Opcode.NOP, engine=2) + pack(Opcode.FENCE, sequence=9))
    assert main(["disasm", str(path)]) == 0
    assert capsys.readouterr().out == (
        "     0  NOP (0,0) engine=VECTOR\n     1  FENCE sequence=9 interrupt=0\n"
    )
    assert main(["disasm", str(path), "--json"]) == 0
    commands = json.loads(capsys.readouterr().out)["commands"]
    assert [command["opcode"] for command in commands] == ["NOP", "FENCE"]
    assert main(["disasm", "--reference", "--preset", "nano"]) == 0
    assert capsys.readouterr().out == reference_page(preset("nano"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "file must be given"),
        (["none.bin"], "none.bin: cannot be read: No such file"),
        (["--reference", "--preset", "huge"], "config must be one of nano, micro, ecp5"),
    ],
)
def test_verb_mistakes(arguments, message, capsys):
    """A mistake on the command line ends in a traceback."""
    assert main(["disasm", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_verb_refuses_half_commands(tmp_path, capsys):
    """A file cut off in the middle of a command is listed as if it were whole."""
    path = tmp_path / "program.bin"
    path.write_bytes(bytes(100))
    assert main(["disasm", str(path)]) == 2
    assert "must hold whole commands of 64 bytes, not 100 bytes" in capsys.readouterr().err
