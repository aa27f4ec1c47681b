"""Write rows as CSV or JSON lines, to a stream or a file of the owner's alone that is there whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from userpool.errors import FatalError, SettingsError

Format = Literal["csv", "jsonl"]
# "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection ; and the quote itself, so that every value
# can be told apart again.
_SIGNS = ("=", "+", "-", "@")


def write_rows(out: TextIO, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], *, as_: Format) -> int:
    """Write all rows and return how many they were; in CSV, what looks like a formula is guarded."""
    write = _csv(out, columns) if as_ == "csv" else _jsonl(out, columns)
    count = 0
    for row in rows:
        write(row)
        count += 1
    return count


def _csv(out: TextIO, columns: tuple[str, ...]) -> Callable[[tuple[Any, ...]], object]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    return lambda row: writer.writerow([guarded(value) if isinstance(value, str) else value for value in row])


def _jsonl(out: TextIO, columns: tuple[str, ...]) -> Callable[[tuple[Any, ...]], object]:
    return lambda row: out.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")


@contextmanager
def whole_file(path: Path, *, replace: bool, option: str = "--output") -> Iterator[TextIO]:
    """Give a stream that becomes the file at the end. Raises SettingsError if it is there, or cannot be written.

    `option` is the one that names the file, or its folder.
    """
    _refuse(path, replace=replace, option=option)
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}): name another with {option}.") from None
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        _put(name, path, replace=replace, option=option)
    except OSError as error:
        raise FatalError(f"{path} cannot be written ({error.strerror}): make room, and try again.") from None
    finally:
        Path(name).unlink(missing_ok=True)


def _refuse(path: Path, *, replace: bool, option: str) -> None:
    """Say it before anything is read: the file is looked for again in the end."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISREG(path.lstat().st_mode):
        raise SettingsError(f"{path} is there and is no file: name another with {option}.")
    if not replace:
        raise _there(path, option)


def _put(temporary: str, path: Path, *, replace: bool, option: str) -> None:
    if not replace and os.path.lexists(path):
        raise _there(path, option)
    Path(temporary).replace(path)


def _there(path: Path, option: str) -> SettingsError:
    return SettingsError(f"{path} is there: replace it with --force, or name another with {option}.")


# Full-width signs, too, begin a formula where East Asian input is usual.
_DANGEROUS = (*_SIGNS, *(chr(ord(sign) + 0xFEE0) for sign in _SIGNS), "\t", "\r", "\n", "'")


def guarded(value: str) -> str:
    """Put a quote before what a spreadsheet could take for a formula."""
    return f"'{value}" if value.startswith(_DANGEROUS) else value


def unguarded(value: str) -> str:
    """Return what `guarded` was given; any other value as it is."""
    return value[1:] if value.startswith("'") and value[1:].startswith(_DANGEROUS) else value
