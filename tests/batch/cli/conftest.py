"""Fixtures: a migration that was scanned, and one that is half done, for the commands that only look."""

from __future__ import annotations

from random import Random

import pytest
from looking import USERS, made

from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import seed_source


@pytest.fixture(scope="module")
def old():
    """An old pool of users of every kind, shared by the tests."""
    with local_client() as client:
        return seed_source(client, users=USERS, random=Random(3), add_federated=add_federated).pool_id


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, sandbox, old):
    """A migration with a ledger that has created eight users, for all who only look."""
    moving = made(tmp_path_factory.mktemp("half"), sandbox, old)
    assert moving("scan").code == 0
    assert moving("run", "--yes", "--limit", "8").code == 4
    return moving


@pytest.fixture
def half(prepared, sandbox):
    """The same, with its settings, and nothing called yet."""
    settings = dict(prepared.settings)
    sandbox.reset_counts()
    yield prepared
    sandbox.faults.replace([])
    prepared.settings = settings
    prepared.configure()


@pytest.fixture
def scanned(tmp_path, sandbox, old):
    """A migration with a ledger that nobody has made yet."""
    moving = made(tmp_path, sandbox, old)
    assert moving("scan").code == 0
    return moving
