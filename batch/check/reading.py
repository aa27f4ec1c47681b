"""Read what `check` judges. Each call only reads, or names a user that does not exist. None can change anything."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from batch.check.facts import Client, Described, Facts, Machine, PoolFacts, Read, Rights
from batch.check.rights import Simulate, rights
from batch.check.threats import mode, proving
from batch.inventory.filesystem import is_on_network, kind_of
from batch.inventory.inventory import StorageError, explain, inventory_to_read
from batch.inventory.missing import Missing
from batch.lambda_trigger.capture_way import ours
from batch.ledger.own_ledger import read_ledger
from batch.ledger.table import ledger_as_it_is
from batch.pacing.pacer import Pacer
from batch.recovery.census import Census
from batch.recovery.gate import Side, Standing
from batch.runtime.progress_bar import ProgressBars
from batch.settings.config import Config
from userpool.answers.unknown import UNKNOWN
from userpool.client import cognito_client, is_loopback
from userpool.description import Description
from userpool.door import call_once
from userpool.errors import MigrationError
from userpool.function import resource_policy
from userpool.iam import allowed_by_policies
from userpool.ledger_table import LedgerTable
from userpool.pool import UserPool
from userpool.quotas import ADJUSTABLE, DEFAULT_RPS

_FEWER = 50  # a page of ListResourceServers has no more, unlike those of every other listing
_BELOW = 0.9  # of one request a second: requests that leave a second apart may arrive closer together


class PoolReader(UserPool):
    """A user pool with the calls that only a check makes."""

    def described(self) -> Described:
        """Read all of the pool's settings with DescribeUserPool. Raises FatalError if there is no such pool."""
        answer = self._call("DescribeUserPool")
        unknown = tuple(name.removeprefix("UserPool.") for name in answer.get(UNKNOWN, ()))
        return Described(Description.from_api(self.pool_id, answer), answer["UserPool"], unknown)

    def mfa(self) -> Mapping[str, Any]:
        """Read the second factors that the pool allows. Returns the answer of GetUserPoolMfaConfig."""
        answer: Mapping[str, Any] = self._call("GetUserPoolMfaConfig")
        return answer

    def clients(self) -> tuple[Client, ...]:
        """Read every app client, with one DescribeUserPoolClient each: the listing has names and ids only."""
        return tuple(Client.from_api(item) for item in self._client_items())

    def _client_items(self) -> Iterator[Mapping[str, Any]]:
        # Pages of ListUserPoolClients may repeat a client. It would be named twice in a finding.
        for client_id in dict.fromkeys(client_id for page in self.app_clients() for client_id in page):
            yield self._call("DescribeUserPoolClient", ClientId=client_id)["UserPoolClient"]

    def resource_servers(self) -> Mapping[str, frozenset[str]]:
        """Read the scopes of every resource server, by its identifier."""
        pages = self._pages("ListResourceServers", "ResourceServers", size="MaxResults", MaxResults=_FEWER)
        return {
            item["Identifier"]: frozenset(scope["ScopeName"] for scope in item.get("Scopes") or ())
            for page in pages
            for item in page
        }

    def sessions(self) -> Mapping[str, Any]:
        """Read the limit of sessions. Returns the answer of GetUserPoolSessionConfiguration."""
        answer: Mapping[str, Any] = self._call("GetUserPoolSessionConfiguration")
        return answer

    def reused_minutes(self, client_id: str) -> int:
        """Read for how many minutes an app client reuses a session (GetUserPoolClientSessionConfiguration)."""
        answer = self._call("GetUserPoolClientSessionConfiguration", ClientId=client_id)
        return int(answer["SSOSession"]["MaxValidityMinutes"])

    def replicas(self) -> tuple[str, ...]:
        """Read the Regions that have a replica of the pool. There are few, so one page has them."""
        items = self._call("ListUserPoolReplicas")["UserPoolReplicas"]
        return tuple(sorted(item["RegionName"] for item in items if item.get("Role") == "SECONDARY"))

    def risk(self, client_id: str) -> Mapping[str, Any]:
        """Read what threat protection does at the sign-ins of an app client."""
        answer = self._call("DescribeRiskConfiguration", ClientId=client_id)
        configuration: Mapping[str, Any] = answer["RiskConfiguration"]
        return configuration

    def ask(self, operation: str, *, of_pool: bool = True, **parameters: Any) -> None:
        """Make a call to see whether it is refused. The answer is thrown away. Raises what the call raises."""
        self._call(operation, of_pool=of_pool, **parameters)


@dataclass(frozen=True, slots=True)
class CheckSources:
    """Where the facts are read: both pools, the ledger, Lambda and IAM.

    `policy_of` reads a function's policy by its ARN. `simulate` asks IAM as the caller of each side, "source" or
    "target".
    """

    config: Config
    source: PoolReader
    target: PoolReader
    table: LedgerTable | None
    policy_of: Callable[[str], str | None]
    simulate: Mapping[str, Simulate]
    client_id: str | None = None
    mfa_users: Literal["reset", "capture"] = "reset"


def read_facts(where: CheckSources) -> Facts:
    """Read everything that is judged. A call that fails becomes a problem in the facts. Raises StoppedError only."""
    source, target = _pool(where.source), _pool(where.target)
    if source.described.found is None and target.described.found is None:
        # One cause, most often: nothing else is asked, so that the two errors do not drown.
        return Facts(where.config, source, target, machine(where.config), **_of_the_operator(where))
    table, recoveries = where.table, _recoveries(where)
    return Facts(
        config=where.config,
        source=source,
        target=target,
        machine=machine(where.config),
        policies=Read.of(lambda: _policies(where, target)),
        ledger=Read.of(lambda: read_ledger(where.config, table)) if table else Read(),
        limits=_limits(where, target),
        risks=Read.of(lambda: _risks(where, source)),
        missing=_missing(where, target),
        recoveries=recoveries,
        rights=_rights(where, source, target, paused={one.side.name for one in recoveries if one.paused}),
        **_of_the_operator(where),
    )


def _of_the_operator(where: CheckSources) -> dict[str, Any]:
    return {"client_id": where.client_id, "mfa_users": where.mfa_users}


def _limits(where: CheckSources, target: PoolFacts) -> Read[Mapping[str, float]]:
    """Read the quotas of the new pool's account. A pool that could not be described is not asked again."""
    if target.described.found is None:
        return Read()
    return Read.of(lambda: {name: where.target.provisioned_rps(name) for name in sorted(ADJUSTABLE)})


def _missing(where: CheckSources, target: PoolFacts) -> Read[Missing]:
    """Look who is missing of those whom the inventory on this machine knows to be in the new pool."""
    try:
        opened = inventory_to_read(where.config)
    except (MigrationError, StorageError):
        return Read()  # there is none yet, or `state_problem` says why
    if target.described.found is None:
        return Read()
    with opened as inventory:
        census = Census(
            where.target,
            inventory,
            where.config.loss,
            stop=threading.Event(),
            progress=ProgressBars(),
            now=time.time,
        )
        return Read.of(census.count)


def _recoveries(where: CheckSources) -> tuple[Standing, ...]:
    sides = (Side("target", where.target, where.config.target), Side("source", where.source, where.config.source))
    try:
        opened = inventory_to_read(where.config)
    except (MigrationError, StorageError):
        return tuple(Standing.of(side, None) for side in sides)
    with opened as inventory:
        return tuple(Standing.of(side, inventory) for side in sides)


def _pool(reader: PoolReader) -> PoolFacts:
    described = Read.of(reader.described)
    if described.found is None:  # then one problem is told, and not the same one four times
        return PoolFacts(described, Read(), Read(), Read())
    found = PoolFacts(
        described,
        Read.of(reader.mfa),
        Read.of(reader.clients),
        Read.of(lambda: dict(reader.identity_providers())),
        Read.of(reader.resource_servers),
        Read.of(reader.sessions),
        Read.of(reader.replicas),
    )
    return replace(found, reused_minutes=Read.of(lambda: _reused_minutes(reader, found)))


def _reused_minutes(reader: PoolReader, pool: PoolFacts) -> dict[str, int]:
    if not pool.tracks_sessions:
        return {}
    ids = [client.app.client_id for client in pool.clients.found or ()]
    return {client_id: reader.reused_minutes(client_id) for client_id in ids}


def _risks(where: CheckSources, source: PoolFacts) -> dict[str, Mapping[str, Any]]:
    """Read what threat protection does at proofs of passwords. Nothing is asked where it does nothing."""
    described = source.described.found
    if not (where.config.ledger and described and mode(described.settings) == "ENFORCED"):
        return {}
    clients = proving(source.clients.found or (), where.client_id)
    return {one.app.client_id: where.source.risk(one.app.client_id) for one in clients}


def _policies(where: CheckSources, target: PoolFacts) -> dict[str, str | None]:
    described = target.described.found
    return {arn: where.policy_of(arn) for arn in ours(described.description.triggers)} if described else {}


def _rights(where: CheckSources, source: PoolFacts, target: PoolFacts, *, paused: Collection[str]) -> Rights:
    there = {"source": source.described.found, "target": target.described.found}
    readers = {"source": where.source, "target": where.target}
    # What a pool answers whose writes are paused may look like a failure that passes, and none of them does.
    readers |= {side: readers[side].paced_by(call_once) for side in paused}
    return rights(
        {side: (readers[side].ask, described.description) for side, described in there.items() if described},
        where.table,
        where.simulate,
    )


def machine(config: Config) -> Machine:
    """Read what matters of this machine: the place of the inventory, and botocore's version. Nothing is written."""
    path = Path(config.state)
    # A missing folder is a finding (`state_problem`), while disk_usage would raise for it.
    folder = path.parent if path.parent.is_dir() else None
    return Machine(
        state=config.state,
        state_problem=_state_problem(config, path),
        mode=path.stat().st_mode & 0o777 if path.exists() else None,
        on_network=is_on_network(path),
        filesystem=kind_of(path),
        free=shutil.disk_usage(folder).free if folder else None,
        botocore=tuple(int(part) for part in version("botocore").split(".") if part.isdigit()),
    )


def _state_problem(config: Config, path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}, where {path.name} is to be."
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return f"{path} cannot be written."
    # No inventory yet is the normal state before the first scan.
    if not path.exists():
        return ""
    # Opening also compares the pools: an inventory of another migration must not be used.
    try:
        with inventory_to_read(config):
            return ""
    except MigrationError as error:
        return str(error)
    except StorageError as error:
        return str(explain(error, str(path)))


def where(
    config: Config, *, client_id: str | None = None, mfa_users: Literal["reset", "capture"] = "reset"
) -> CheckSources:
    """Connect to everything that is asked. Calls are paced by AWS's default quotas.

    Raises SettingsError for what cannot be asked at all.
    """
    stop = threading.Event()
    # Nothing else of an account asks for limits, so at a share of one request a second a person would wait in vain.
    limits = {"LimitManagement": DEFAULT_RPS["LimitManagement"] * _BELOW}
    policy = Pacer(limits, share=config.rate.share, stopping=stop).policy()
    sides = {"source": config.source, "target": config.target}
    readers = {
        name: PoolReader(cognito_client(settings, connections=1), settings.user_pool_id, policy)
        for name, settings in sides.items()
    }
    return CheckSources(
        config=config,
        source=readers["source"],
        target=readers["target"],
        table=ledger_as_it_is(config, stop=stop) if config.ledger else None,
        policy_of=partial(resource_policy, owner=config.target),
        simulate={
            name: partial(allowed_by_policies, settings)
            for name, settings in sides.items()
            # A stand-in on this machine has no IAM to ask, so the harmless calls decide.
            if not is_loopback(settings.endpoint_url)
        },
        client_id=client_id,
        mfa_users=mfa_users,
    )
