"""Fixtures and helpers: a ledger on a fresh table of the sandbox's DynamoDB, in this process."""

from __future__ import annotations

import os
import uuid
from functools import cache
from typing import Any

import dynamodb_local
import pytest

from batch.ledger.ledger import BatchLedger
from sandbox.in_process import dynamodb_client
from userpool.ledger_table import LedgerTable
from userpool.person import PERSON, Person


@cache
def shared_client() -> Any:
    """One client for all tests: the tables are shared by the process anyway, and none is used twice."""
    # `make ledger` runs the tests of the ledger on AWS's own engine.
    address = os.environ.get(dynamodb_local.ENDPOINT)
    return dynamodb_local.client_at(address) if address else dynamodb_client()


def new_table(kind: type[LedgerTable] = LedgerTable) -> LedgerTable:
    """Make a table that nobody else knows."""
    table = kind(shared_client(), f"ledger-{uuid.uuid4()}")
    table.create()
    return table


def raw(table: LedgerTable, sub: str) -> dict[str, Any]:
    """A person's item, with what `Person` does not tell, such as who is giving."""
    return dict(table.get(f"{PERSON}{sub}") or {})


def lock_of(table: LedgerTable, lock: str) -> tuple[str, bool] | None:
    """Whose a lock is, and whether firmly."""
    item = table.get(f"lock#{lock}")
    return (item["sub"], item["firm"]) if item else None


def introduce(ledger: BatchLedger, *people: Person) -> None:
    """Publish persons whose locks are nobody else's."""
    assert ledger.publish(people) == []


@pytest.fixture
def dynamodb() -> Any:
    """A boto3 client of the DynamoDB of this process."""
    return shared_client()


@pytest.fixture
def ledger_table() -> LedgerTable:
    """A fresh table."""
    return new_table()


@pytest.fixture
def ledger(ledger_table) -> BatchLedger:
    """A ledger on that table."""
    return BatchLedger(ledger_table)
