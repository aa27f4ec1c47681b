"""The one JSON document that `--json` promises on stdout, also of a command that fails. Its shape is in the README.

A process is one command, so there is one of it. The handler of a signal uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batch.runtime.own_lines import OWN_LINES


class Document:
    """Whether the document is still `due`, the `result` of the command, and what a failed one had done (`counts`).

    It is written when the command has ended, so that what fails after the result is told in the same document.
    """

    def __init__(self) -> None:
        self.due = False
        self.result: Any = None
        self.counts: Mapping[str, Any] | None = None

    def expect(self, *, due: bool) -> None:
        """Begin a command; `due` if it was given `--json`."""
        self.due, self.result, self.counts = due, None, None

    def success(self) -> str:
        """Return the document of the result, or nothing if none is due. After it, none is."""
        return "" if self.result is None else self._written(self.result)

    def failure(
        self, code: int, name: str, message: str, *, unchanged: str | None = None, remedy: str | None = None
    ) -> str:
        """Return the document of a failure, or nothing if none is due. After it, none is."""
        error = {"code": code, "name": name, "message": message, "unchanged": unchanged, "remedy": remedy}
        known = self.result if isinstance(self.result, dict) else {"done": self.counts}
        return self._written({**known, "error": error})

    def _written(self, values: Any) -> str:
        if not self.due:
            return ""
        from batch.runtime import text  # noqa: PLC0415 -- `--version` and `--help` need no JSON

        # Before the first byte of it: what fails afterwards must not write a second document.
        self.due = False
        return f"{text.as_json(OWN_LINES.typed_in(values))}\n"


DOCUMENT = Document()
