"""The ledger's table as the batch uses it: calls that fail for a passing reason are repeated.

The trigger has no time to wait, and uses the plain `LedgerTable`.
"""

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
    """A table whose calls are repeated. Of this tool's errors, methods raise FatalError only."""

    def __init__(self, client: Any, name: str, patience: Patience) -> None:
        super().__init__(client, name)
        self._patience = patience

    def write(self, write: Write) -> Turn:
        """Carry out one write if its condition holds."""
        return self._patience(partial(super().write, write))

    def write_all(self, writes: Iterable[Write]) -> bool:
        """Carry out all writes or none. False also if an earlier attempt carried them out without an answer."""
        # A list, because a repeated attempt needs the writes again.
        return self._patience(partial(super().write_all, list(writes)))

    def _call(self, operation: str, **parameters: Any) -> Any:
        return self._patience(partial(super()._call, operation, **parameters))


def ledger_table(config: Config, *, stop: threading.Event, agent: str | None = None) -> LedgerTable:
    """Return the ledger's table. It is created if the endpoint is on this machine (a stand-in for DynamoDB).

    Raises SettingsError without a ledger, and FatalError if the table does not exist or cannot be used.
    """
    table = ledger_as_it_is(config, stop=stop, agent=agent)
    try:
        table.identity()
    except MissingTableError:
        # Only a stand-in for DynamoDB gets its table made. A table that is missing in AWS is an error, because a new
        # one would know nobody.
        if not is_loopback(config.ledger.endpoint_url if config.ledger else None):
            raise
        table.create()
    return table


def ledger_as_it_is(config: Config, *, stop: threading.Event, agent: str | None = None) -> LedgerTable:
    """Return the ledger's table, whether it exists or not. Raises SettingsError without a ledger."""
    ledger = config.ledger
    if ledger is None:
        raise SettingsError("There is no ledger in this migration: it is needed only with a trigger (set `ledger`).")
    client = dynamodb_client(
        ledger,
        config.target,
        connections=config.worker_count + 1,  # the RUN lease is renewed beside them
        connect_seconds=_CONNECT_SECONDS,
        read_seconds=_READ_SECONDS,
        attempts=1,  # repeated by Patience, not by boto3
        agent=agent or user_agent(),
    )
    return PatientTable(client, ledger.table, Patience(stop))
