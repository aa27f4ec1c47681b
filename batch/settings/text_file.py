"""Read a text file that a person made, in whatever form a spreadsheet or an editor has saved it."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from userpool.errors import SettingsError

_MARKS = {  # the longer first: the mark of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ZIP = b"PK\x03\x04"
_BEGINNING = 4096
_DELIMITERS = ",;\t"
_EXCELS = "sep="
"""A line with which Excel says what is between its columns: `sep=;`."""


@contextmanager
def text_file(path: Path, how_to_mend: str) -> Iterator[TextIO]:
    """Give the text of a file in UTF-8, or with a byte order mark in UTF-16, without the mark.

    Raises SettingsError, with the line, for another encoding, and for a file that cannot be read. `how_to_mend` ends
    the sentence.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
        if beginning.startswith(_ZIP):
            raise SettingsError(f"{path} cannot be read: it is a workbook of Excel's. Save it as CSV UTF-8.")
        encoding = next((name for mark, name in _MARKS.items() if beginning.startswith(mark)), "utf-8")
        if encoding == "utf-8" and b"\0" in beginning:
            raise SettingsError(
                f"{path} cannot be read: it is UTF-16 without a byte order mark, or no text. Save it as UTF-8."
            )
        with path.open(encoding=encoding, newline="") as file_text:
            yield file_text
    except UnicodeDecodeError as error:
        raise SettingsError(_not_decoded(path, error)) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror or error}): {how_to_mend}.") from None


def _not_decoded(path: Path, error: UnicodeDecodeError) -> str:
    if not error.encoding.startswith("utf-8"):
        return (
            f"{path} cannot be read: it begins as {error.encoding[:6].upper()} and is damaged. Save it again, as UTF-8."
        )
    line = 1 + next(
        (number for number, text in enumerate(path.read_bytes().split(b"\n")) if not _is_utf_8(text)),
        0,
    )
    return (
        f"{path} cannot be read: line {line} is not in UTF-8. It may be in Latin-1 or Windows-1252. It is "
        "not guessed, because a wrong guess would name another user. Save the file as UTF-8; in Excel, as "
        '"CSV UTF-8".'
    )


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def rows_of(file: TextIO, headings: tuple[str, ...] = ()) -> Iterator[tuple[int, list[str]]]:
    """Yield each row of a CSV file with its last line, stripped of spaces around its cells. Empty rows are left out.

    The delimiter is a comma. If `headings` are given, it is the comma, semicolon or tab that divides the first row into
    them, or that a first line like `sep=;` names. Raises csv.Error for what is no CSV.
    """
    first, line = file.readline(), 0
    if first.lower().startswith(_EXCELS) and headings:
        first, line = file.readline(), 1
    fitting = (one for one in _DELIMITERS if _cells(first, one)[: len(headings)] == [*headings])
    delimiter = next(fitting, ",") if headings else ","
    rows = csv.reader(_with(first, file), delimiter=delimiter)
    for row in rows:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield line + rows.line_num, cells


def _with(first: str, file: TextIO) -> Iterator[str]:
    yield first
    yield from file


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().lower() for cell in next(csv.reader([line], delimiter=delimiter), [])]
