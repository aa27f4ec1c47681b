"""The record of each command: what it did and how it ended. Its id is also in the user agent of its calls."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from batch.inventory.inventory import Inventory, StorageError
from batch.settings.config import Config

Clock = Callable[[], float]


@dataclass(slots=True)
class Record:
    """What is kept of a run. The command fills it in as it goes, and it is stored when the run ends.

    A command that is about to write calls `begin`. Without that nothing is stored: the command wrote nothing.
    """

    id: str
    caller: str | None = None
    plan_digest: str | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    begun: bool = False
    on_begin: Callable[[], None] = field(default=lambda: None, repr=False)

    def begin(self) -> None:
        """Record that the run begins, once."""
        if not self.begun:
            self.begun = True
            self.on_begin()


@contextmanager
def counting(record: Record, counts: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Keep what a command did in its record, also if it ends by an error: what was done until then is done."""
    try:
        yield
    finally:
        record.counts |= counts()


def new_id(now: Clock = time.time) -> str:
    """Return a new run id. Ids sort by time, to the second."""
    return f"{datetime.fromtimestamp(now(), UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def user_agent(run_id: str | None = None) -> str:
    """Return the user agent of a run's calls, so that CloudTrail tells runs apart."""
    try:
        program = f"cognito-migrate/{version('cognito-migrate')}"
    except PackageNotFoundError:  # run from a tree that is not installed
        program = "cognito-migrate"
    return f"{program} run/{run_id}" if run_id else program


def config_digest(config: Config) -> str:
    """Return a digest of the settings: the same for two runs with the same settings."""
    return hashlib.sha256(json.dumps(asdict(config), sort_keys=True, default=str).encode()).hexdigest()[:16]


@contextmanager
def recorded(
    inventory: Inventory,
    run_id: str,
    command: str,
    config: Config,
    caller: str | None,
    *,
    code_of: Callable[[BaseException], int | None],
    prepare: Callable[[], None] = lambda: None,
    now: Clock = time.time,
) -> Iterator[Record]:
    """Record how a run ends, once it has begun (`Record.begin`). `prepare` is called right before the beginning.

    `code_of` gives the exit code of the exception that ended it. If the process is killed, `ended` and the exit code
    stay empty.
    """

    def begin() -> None:
        prepare()
        inventory.hold_for(run_id)  # before its record: one without an end, of which nobody has the file, was killed
        with inventory.transaction():
            inventory.execute(
                "INSERT INTO runs (id, command, started, caller, config_digest) VALUES (?, ?, ?, ?, ?)",
                (run_id, command, now(), caller, config_digest(config)),
            )

    record = Record(run_id, caller, on_begin=begin)
    try:
        yield record
    except BaseException as error:
        # The disk may be full. The error that ended the run is the one to show.
        with suppress(StorageError):
            _end(inventory, record, code_of(error), now())
        raise
    _end(inventory, record, 0, now())


def _end(inventory: Inventory, record: Record, code: int | None, ended: float) -> None:
    if not record.begun:
        return
    with inventory.transaction():
        inventory.execute(
            "UPDATE runs SET ended = ?, plan_digest = ?, counts = ?, exit_code = ? WHERE id = ?",
            (ended, record.plan_digest, json.dumps(record.counts, default=str), code, record.id),
        )
