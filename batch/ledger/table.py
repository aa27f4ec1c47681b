"""The ledger's table as the job uses it: what may pass is tried again. The trigger, short of time, has it plain."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from batch.inventory.runs import user_agent
from batch.pacing.pacer import Patience
from batch.settings.config import Config
from userpool.client import dynamodb_client, is_loopback
from userpool.errors import SettingsError
from userpool.ledger_table import LedgerTable, MissingTableError, Turn, Write

_CONNECT_SECONDS, _READ_SECONDS = 3.0, 10.0  # of the ledger, which answers in milliseconds


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


def ledger_table(config: Config, *, stop: threading.Event, agent: str | None = None) -> LedgerTable:
    """Return the ledger's table, made if it is a stand-in's.

    Raises SettingsError without a ledger, and FatalError if there is no such table or it cannot be used.
    """
    table = ledger_as_it_is(config, stop=stop, agent=agent)
    try:
        table.identity()
    except MissingTableError:
        if not is_loopback(config.ledger.endpoint_url if config.ledger else None):
            raise
        table.create()
    return table


def ledger_as_it_is(config: Config, *, stop: threading.Event, agent: str | None = None) -> LedgerTable:
    """Return the ledger's table, whether it is there or not. Raises SettingsError without a ledger."""
    ledger = config.ledger
    if ledger is None:
        raise SettingsError("There is no ledger in this migration: it is needed only with a trigger (set `ledger`).")
    client = dynamodb_client(
        ledger,
        config.target,
        connections=config.worker_count + 1,  # the RUN lease is renewed beside them
        connect_seconds=_CONNECT_SECONDS,
        read_seconds=_READ_SECONDS,
        attempts=1,  # Patience repeats
        agent=agent or user_agent(),
    )
    return PatientTable(client, ledger.table, Patience(stop))
