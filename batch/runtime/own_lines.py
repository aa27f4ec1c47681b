"""The command lines of this tool in messages, as a person can paste them.

A message names a command as it is typed beside config.yaml. If another file is in use, a pasted line would act on
another migration, so `--config` is added at the one place where a text leaves for the terminal or for the document.

A process is one command, so there is one `OWN_LINES` of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

DEFAULT = Path("config.yaml")


class OwnLines:
    """Adds `--config` to the lines of this tool, if another file than the default is in use."""

    def __init__(self) -> None:
        self._option = ""
        self._named = re.compile("")

    def use(self, config: Path, commands: Iterable[str]) -> None:
        """Begin a command with that configuration. `commands` are those that read it."""
        self._option = "" if config == DEFAULT else f" --config {shlex.quote(str(config))}"
        # Only where the name of a command follows: `cognito-migrate` is also a word of prose and the name of a table.
        self._named = re.compile(rf"\bcognito-migrate(?=\s+(?:{'|'.join(map(re.escape, commands))})\b)")

    def typed(self, text: str, escape: Callable[[str], str] = str) -> str:
        """Return the text with its lines as they are typed. Safe to repeat. `escape` is that of the text's format."""
        return self._named.sub(lambda found: f"{found[0]}{escape(self._option)}", text) if self._option else text

    def typed_in(self, value: Any) -> Any:
        """Return a result with the lines in all its texts as they are typed; keys stay as they are.

        No user or group can be meant: Cognito allows no blank in their names.
        """
        match value:
            case str():
                return self.typed(value)
            case dict():
                return {key: self.typed_in(one) for key, one in value.items()}
            case list() | tuple():
                return [self.typed_in(one) for one in value]
            case _:
                return value


OWN_LINES = OwnLines()
