"""Write rows as CSV or JSON lines, to a stream or to a file.

Only its owner can read the file. The file appears complete or not at all.
"""

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
# "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection .
# The quote itself is guarded as well, below. So `unguarded` can tell an added quote from one of the value's own.
_SIGNS = ("=", "+", "-", "@")


def write_rows(out: TextIO, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], *, as_: Format) -> int:
    """Write all rows and return their number. In CSV, text that looks like a formula is `guarded`."""
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
    """Give a stream whose content becomes the file at the end. An exception leaves the path as it was.

    Raises SettingsError if the path is no regular file, exists without `replace`, or lies in a folder that cannot be
    written; FatalError if writing fails, for example on a full disk. `option` is the command-line option that names the
    file or its folder: messages mention it.
    """
    _refuse(path, replace=replace, option=option)
    try:
        # In the same folder, so that the last step is a rename within one filesystem.
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}): name another with {option}.") from None
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            # Before the rename: otherwise the new name could stand for an empty file after a power cut.
            os.fsync(out.fileno())
        _put(name, path, replace=replace, option=option)
    except OSError as error:
        raise FatalError(f"{path} cannot be written ({error.strerror}): make room, and try again.") from None
    finally:
        # After a success this name is gone already.
        Path(name).unlink(missing_ok=True)


def _refuse(path: Path, *, replace: bool, option: str) -> None:
    # Before any row is read, so that a person does not wait for a refusal. `lexists`, because a symbolic link that
    # leads nowhere is in the way as well.
    if not os.path.lexists(path):
        return
    if not stat.S_ISREG(path.lstat().st_mode):
        raise SettingsError(f"{path} is there and is no file: name another with {option}.")
    if not replace:
        raise _there(path, option)


def _put(temporary: str, path: Path, *, replace: bool, option: str) -> None:
    # Looked for again: another program may have made the file while the rows were read.
    if not replace and os.path.lexists(path):
        raise _there(path, option)
    Path(temporary).replace(path)


def _there(path: Path, option: str) -> SettingsError:
    return SettingsError(f"{path} is there: replace it with --force, or name another with {option}.")


# Full-width signs also begin a formula where East Asian input is usual.
_DANGEROUS = (*_SIGNS, *(chr(ord(sign) + 0xFEE0) for sign in _SIGNS), "\t", "\r", "\n", "'")


def guarded(value: str) -> str:
    """Return the value, with a quote in front if a spreadsheet could take it for a formula."""
    return f"'{value}" if value.startswith(_DANGEROUS) else value


def unguarded(value: str) -> str:
    """Return the value that `guarded` was given. A value that `guarded` did not change is returned as it is."""
    return value[1:] if value.startswith("'") and value[1:].startswith(_DANGEROUS) else value
