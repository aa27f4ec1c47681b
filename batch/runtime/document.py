"""The one JSON document that `--json` promises on stdout, also of a command that fails. Its shape is in the README.

A process is one command, so there is one of it. The handler of a signal uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batch.runtime.own_lines import OWN_LINES


class Document:
    """Whether the document is still `due`, and what the failed command had done (`counts`)."""

    def __init__(self) -> None:
        self.due = False
        self.counts: Mapping[str, Any] | None = None

    def expect(self, *, due: bool) -> None:
        """Begin a command; `due` if it was given `--json`."""
        self.due, self.counts = due, None

    def failure(
        self, code: int, name: str, message: str, *, unchanged: str | None = None, remedy: str | None = None
    ) -> str:
        """Return the document of a failure, or nothing if none is due. After it, none is."""
        if not self.due:
            return ""
        from batch.runtime import text  # noqa: PLC0415 -- `--version` and `--help` need no JSON

        self.due = False
        error = {"code": code, "name": name, "message": message, "unchanged": unchanged, "remedy": remedy}
        return f"{text.as_json({'error': OWN_LINES.typed_in(error), 'done': self.counts})}\n"


DOCUMENT = Document()
