"""A migration with a ledger for the commands that only look, and what they said."""

from __future__ import annotations

import csv
import io
import uuid

from command_line import FAST, Migration

from batch.ledger.ledger import BatchLedger
from sandbox.in_process import dynamodb_client
from sandbox.local import local_client
from sandbox.made_up.seed import make_target
from userpool.ledger_table import LedgerTable

USERS = 24


def made(folder, sandbox, old, **settings) -> Migration:
    """A migration of that pool into a new one."""
    with local_client() as client:
        target = make_target(client, kind="plain")
    pools = {"source": old, "target": target}
    moving = Migration(folder, **pools)
    endpoint = {"endpoint_url": sandbox.endpoint_url}
    moving.configure(
        **{side: {"user_pool_id": pool, **endpoint} for side, pool in pools.items()},
        **{
            "ledger": {"table": f"ledger-{uuid.uuid4().hex[:8]}", **endpoint},
            "rate": {"limits": FAST},
            "workers": 4,
            **settings,
        },
    )
    return moving


def ledger_of(moving) -> BatchLedger:
    return BatchLedger(LedgerTable(dynamodb_client(), moving.settings["ledger"]["table"]))


def ok(result):
    """What a command said; it ended well."""
    assert result.code == 0, result.err
    return result


def table(result):
    """The rows of a CSV on stdout, as dictionaries."""
    return list(csv.DictReader(io.StringIO(ok(result).out)))


def created(half):
    """Somebody who was created, by every name."""
    return half("export", "created", "--output", "-")
