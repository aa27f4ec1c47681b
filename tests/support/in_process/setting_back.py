"""Pools that lose users or go back in time, in a migration of a whole pool: the deed, and what is compared after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Result, step
from whole_pool import WholePool, whole_pool

from sandbox.cognito import shared
from sandbox.faults import Fault, Faults
from userpool.identities import linked


@pytest.fixture
def recovery_rules() -> Iterator[Any]:
    """How Cognito answers the questions that no document does, for one test; the clock goes back at its end, too."""
    rules = shared().world.recoveries.rules
    before = dict(vars(rules))
    with shared().world.clock.ahead():
        yield rules
    vars(rules).update(before)


@pytest.fixture
def whole_pools(tmp_path, sandbox, recovery_rules) -> Callable[..., WholePool]:
    """Makes a migration of thirty people that is scanned, with a ledger; settings are top-level keys of config.yaml."""

    def make(folder: Path = tmp_path, **options: Any) -> WholePool:
        pool = whole_pool(folder, sandbox.endpoint_url, **{"size": 30, **options})
        step(pool.job, "scan")
        return pool

    return make


class CallOrder(Faults):
    """No fault: notes the operations that a server is asked for, in order. Give it to a server as its faults."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def choose(self, operation: str, username: str | None = None) -> Fault | None:
        """Note a call."""
        self.operations.append(operation)
        return super().choose(operation, username)


def later(seconds: float = 300.0) -> float:
    """Let time pass, and return what time it is."""
    shared().world.clock.advance(seconds)
    return float(shared().world.clock.now())


def set_back(pool_id: str, to: float) -> None:
    """Set a pool back, some time later."""
    later()
    shared().world.recover(pool_id, to=to)
    later()


def recovered(pool: WholePool, *words: str) -> Result:
    """Bring inventory and ledger in line with the new pool, and let a run do the rest. Return what `recover` told."""
    told = step(pool.job, "recover", *words, "--yes", "--json")
    step(pool.job, "run", "--yes")
    return told


def delete(pool: WholePool, subs: Iterable[str]) -> None:
    """Delete these users of the new pool, as somebody's script does by mistake."""
    there = pool.new_users()
    for sub in subs:
        pool.cognito.admin_delete_user(UserPoolId=pool.new_id, Username=there[sub].username)


def change(pool: WholePool, username: str, **attributes: str) -> None:
    """Change attributes of a user of the old pool. An e-mail address is a verified one."""
    if "email" in attributes:
        attributes["email_verified"] = "true"
    pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
    pool.cognito.admin_update_user_attributes(UserPoolId=pool.old_id, Username=username, UserAttributes=pairs)


def account(user: Any) -> Any:
    """All that a user of the new pool is, except for the password and what Cognito gives anew."""
    attributes = {name: value for name, value in user.attributes.items() if name not in {"sub", "identities"}}
    links = set(linked(user.attributes))  # without the dates of the linking
    return user.username, user.status, user.enabled, set(user.groups), set(user.mfa), links, attributes


def accounts(pool: WholePool) -> dict[str, Any]:
    """Return `account` of every user that this migration has made, by old sub."""
    return {sub: account(user) for sub, user in pool.new_users().items()}
