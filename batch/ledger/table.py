"""The ledger's table as the job uses it: what may pass is tried again. The trigger, short of time, has it plain."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from batch.pacing.pacer import Patience
from userpool.ledger_table import LedgerTable, Turn, Write


class PatientTable(LedgerTable):
    """A table whose calls are repeated. Methods may raise FatalError, and nothing else of this tool's."""

    def __init__(self, client: Any, name: str, patience: Patience) -> None:
        super().__init__(client, name)
        self._patience = patience

    def write(self, write: Write) -> Turn:
        """Carry out one write if its condition holds."""
        return self._patience(partial(super().write, write))

    def write_all(self, writes: Iterable[Write]) -> bool:
        """Carry out all writes or none; False, too, if they were carried out before without an answer."""
        return self._patience(partial(super().write_all, list(writes)))

    def _call(self, operation: str, **parameters: Any) -> Any:
        return self._patience(partial(super()._call, operation, **parameters))
