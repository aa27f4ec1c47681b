from __future__ import annotations

from pathlib import Path

import pytest

from batch.settings.decisions import Decision, read_decisions
from userpool.errors import SettingsError

HEADER = "username,action,target_username\n"


@pytest.fixture
def write(tmp_path):
    """Writes a decisions file and gives its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "decided.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def refusal(path: Path) -> str:
    """What is said of a file that is refused."""
    with pytest.raises(SettingsError) as refused:
        read_decisions(path)
    return str(refused.value)


def test_decisions_are_read_by_old_user_name(write):
    """Each line says for one old user name whether it is created, perhaps under another name, or left out."""
    path = write(f"{HEADER}Bob@x.example,create,\nbob@x.example,skip,\nBOB@x.example,create,bob2@x.example\n")
    assert read_decisions(path) == {
        "Bob@x.example": Decision("create"),
        "bob@x.example": Decision("skip"),
        "BOB@x.example": Decision("create", "bob2@x.example"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "username,action\nbob,skip\n",
        f"\ufeff{HEADER}bob,skip,\n",
        f"{HEADER}bob,skip,\n\n".replace("\n", "\r\n"),
        f'{HEADER}"bob"," skip ",\n',
        f"{HEADER}bob,skip",
        "username,action,target_username,why\nbob,skip,,asked for on Monday\n",
        "username;action;target_username\nbob;skip;\n",
        "sep=;\r\nusername;action;target_username\r\nbob;skip;\r\n",
        "username\taction\ttarget_username\nbob\tskip\t\n",
        "Username, Action, Target_username\nbob, skip,\n",
        "username;action;target_username\nbob;skip;\n".encode("utf-16"),
        b"\xfe\xff" + "username\taction\r\nbob\tskip\r\n".encode("utf-16-be"),
    ],
)
def test_what_spreadsheets_make_of_a_csv_file_is_understood(write, text):
    """A byte order mark, UTF-16, semicolons, tabs, line ends, quotes, spaces and notes make no difference."""
    assert read_decisions(write(text)) == {"bob": Decision("skip")}


def test_a_file_of_nothing_but_its_first_line_decides_nothing(write):
    """No lines, no decisions."""
    assert read_decisions(write(HEADER)) == {}


def test_names_of_any_script_are_read(write):
    """User names are kept exactly, letters of other scripts and quoted commas included."""
    assert read_decisions(write(f'{HEADER}Ünal,skip,\n"a,b",create,阿\n')) == {
        "Ünal": Decision("skip"),
        "a,b": Decision("create", "阿"),
    }


@pytest.mark.parametrize(
    "lines",
    [
        "bob,skip,\nbob,create,\n",
        "eve,skip,\n,create,\n",
        "eve,skip,\nbob,delete,\n",
        "eve,skip,\nbob,,\n",
        "eve,skip,\nbob\n",
        "eve,skip,\nbob,skip,bob2\n",
        "eve,skip,\nbob,Skip,\n",
    ],
)
def test_an_unclear_line_is_named(write, lines):
    """Two decisions about one user, no name, or another action than create and skip are refused by their line."""
    assert "line 3" in refusal(write(f"{HEADER}{lines}"))


@pytest.mark.parametrize(
    "header",
    [
        *("", "bob,skip,\n", "username|action|target_username\n", "action,username\n", "username,action,target\n"),
        "username;action;target\n",
    ],
)
def test_another_first_line_is_refused(write, header):
    """A file whose columns are others is refused with what the first line must be, so that no name is overlooked."""
    assert "the first line must be username,action,target_username" in refusal(write(f"{header}bob,create,bob2\n"))


@pytest.mark.parametrize("content", [b"\xff\xfeu\x00s", HEADER.encode() + b"B\xf6b,skip,\n"])
def test_a_file_that_is_not_text_is_refused(write, content):
    """A binary file, or text of another encoding, is refused in one sentence that names it."""
    said = refusal(write(content))
    assert "decided.csv" in said
    assert "cannot be read" in said
    assert "UTF-8" in said


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_another_encoding_is_named_with_its_line(write, encoding):
    """A letter that could be one of several is no name: the sentence says which line, which encodings, what to do."""
    said = refusal(write(f"{HEADER}bob,skip,\nJörg,create,\n".encode(encoding)))
    assert "line 3 is not in UTF-8" in said
    assert "Latin-1" in said
    assert "Save the file as UTF-8" in said


def test_a_line_with_another_delimiter_is_named(write):
    """Rows that have more columns than headings are refused: a name may hold the delimiter."""
    assert "line 2: 4 columns under 3 headings" in refusal(write(f"{HEADER}a,b,create,x\n"))


def test_a_missing_file_is_refused(tmp_path):
    """A decisions file that is configured must be there."""
    assert "cannot be read (No such file" in refusal(tmp_path / "decided.csv")
    assert "cannot be read (Is a directory" in refusal(tmp_path)
