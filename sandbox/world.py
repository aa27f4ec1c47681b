"""Everything there is in one sandbox: user pools with their users, app clients, the clock, what is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import Clock
from sandbox.errors import not_there
from sandbox.moto_bridge import Moto
from sandbox.point_in_time.history import History
from sandbox.point_in_time.recoveries import Recoveries, Status
from sandbox.users.directory import Directory
from sandbox.users.paging import Listings

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""Of whoever has no other: what moto answers for other services is of the same account."""

Parameters = dict[str, Any]


@dataclass
class Pool:
    """A user pool: its settings, which moto keeps, and its users, which the sandbox keeps."""

    id: str
    moto: Any
    users: Directory

    @property
    def region(self) -> str:
        """The Region it is in."""
        return self.id.partition("_")[0]

    @property
    def config(self) -> dict[str, Any]:
        """The settings, by the names of CreateUserPool."""
        settings: dict[str, Any] = self.moto.extended_config
        return settings

    @property
    def functions(self) -> dict[str, Any]:
        """The Lambda triggers: `LambdaConfig`."""
        return self.config.get("LambdaConfig") or {}

    @property
    def password_policy(self) -> dict[str, Any]:
        """The password policy."""
        policy: dict[str, Any] = (self.config.get("Policies") or {}).get("PasswordPolicy") or {}
        return policy

    @property
    def schema(self) -> dict[str, dict[str, Any]]:
        """The attributes by name, as `SchemaAttributeType`."""
        return {name: attribute.to_json() for name, attribute in self.moto.schema_attributes.items()}

    @property
    def groups(self) -> dict[str, Any]:
        """The groups' definitions (moto's objects; `to_json()` gives a `GroupType`), by name."""
        groups: dict[str, Any] = self.moto.groups
        return groups

    @property
    def mfa(self) -> str:
        """OFF, ON or OPTIONAL."""
        return str(self.moto.mfa_config)

    @property
    def tier(self) -> str:
        """The feature plan: LITE, ESSENTIALS or PLUS."""
        return str(self.config.get("UserPoolTier") or "ESSENTIALS")

    def note_group(self, name: str) -> None:
        """Tell the history what a group is now."""
        found = self.groups.get(name)
        self.users.history.note_group(name, found and {"group": found, **vars(found)})

    def restore_groups(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        """Make the groups what they were."""
        for name in {*self.groups, *definitions}:
            definition = definitions.get(name)
            if definition is None:
                del self.groups[name]
            else:
                group = self.groups[name] = definition["group"]
                vars(group).update({key: value for key, value in definition.items() if key != "group"})
            self.note_group(name)

    def require_group(self, name: str) -> Any:
        """Return a group's definition. Raises ResourceNotFoundException."""
        if name not in self.groups:
            raise not_there("Group not found.")
        return self.groups[name]


@dataclass(frozen=True)
class AppClient:
    """An app client of a pool."""

    id: str
    config: dict[str, Any]
    secrets: tuple[str, ...] = field(default=(), repr=False)  # any of which is good, newest first

    @property
    def flows(self) -> frozenset[str]:
        """The flows it allows, by the names of `ExplicitAuthFlows`; Cognito's defaults if none is set."""
        return frozenset(
            self.config.get("ExplicitAuthFlows")
            or ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH")
        )

    @property
    def hides_existence(self) -> bool:
        """Whether PreventUserExistenceErrors is ENABLED."""
        return self.config.get("PreventUserExistenceErrors") == "ENABLED"


class World:
    """One AWS account's Cognito. Operations hold `lock`; a Lambda runs with the lock let go, as it may call back."""

    def __init__(self, account: str | None = None) -> None:
        self.clock = Clock()
        self.moto = Moto(account)
        self.lock = threading.Lock()
        self.sessions: dict[str, Any] = {}  # of challenges under way, by Session
        self.refresh_tokens: dict[str, Any] = {}
        self.grants: dict[str, Any] = {}  # what each sign-in granted, by `origin_jti`
        self.signing: dict[str, int] = {}  # pools that have signed a token, in that order, see `keys`
        self.listings = Listings(self.clock)
        self.provisioned: dict[str, float] = {}  # quotas that differ from the defaults, see `limits`
        self.sent: list[Any] = []  # every code that would have gone out, see `codes`
        self.functions: dict[str, Any] = {}  # Lambda functions by name, see `triggers`
        self.newer: dict[str, dict[str, Any]] = {}  # by pool, settings that this botocore does not know, see `pools`
        self.lambda_seconds = 5.0  # "must respond within 5 seconds", by the wall clock; a test may shorten it
        self.hides_resets = False  # whether RESET_REQUIRED looks like a wrong password, see `password_auth`
        self.recoveries = Recoveries()
        self.client_secrets: dict[str, Any] = {}  # by app client, what moto does not keep, see `client_secrets`
        self.managed_secrets: set[str] = set()  # app clients whose secret Cognito rotates
        self._directories: dict[str, Directory] = {}

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Let go of the lock for a while; what was looked up before must be looked up again after."""
        self.lock.release()
        try:
            yield
        finally:
            self.lock.acquire()

    def pool(self, pool_id: str) -> Pool:
        """Return the user pool. Raises ResourceNotFoundException."""
        moto_pool = self.moto.pool(pool_id)
        if pool_id not in self._directories:
            self._directories[pool_id] = self._directory(moto_pool.extended_config)
            new = Pool(pool_id, moto_pool, self._directories[pool_id])
            new.users.history.note_tier(new.tier)
            for name in new.groups:
                new.note_group(name)
        return Pool(pool_id, moto_pool, self._directories[pool_id])

    def _directory(self, config: Mapping[str, Any]) -> Directory:
        return Directory(
            History(self.clock),
            # Pools made over the API are case-sensitive unless they say not (developer guide, case sensitivity).
            case_sensitive=(config.get("UsernameConfiguration") or {}).get("CaseSensitive", True),
            username_attributes=tuple(config.get("UsernameAttributes") or ()),
            alias_attributes=tuple(config.get("AliasAttributes") or ()),
        )

    def pools(self) -> list[Pool]:
        """Return all user pools."""
        return [self.pool(pool_id) for pool_id in self.moto.pools()]

    def forget_pool(self, pool_id: str) -> None:
        """Forget a pool's users, after the pool is deleted."""
        self._directories.pop(pool_id, None)
        self.recoveries.forget_pool(pool_id)

    def recover(self, pool_id: str, *, to: float) -> str:
        """Bring a pool back to what it was at a time of `clock`, at once and whatever the plan; return the RestoreId.

        The caller does not hold the lock.
        """
        restore_id = self.pause_writes(pool_id, to=to)
        self.set_recovery(restore_id, Status.RESTORE_COMPLETED)
        return restore_id

    def pause_writes(self, pool_id: str, status: str = Status.PREVIEW_GENERATED, *, to: float | None = None) -> str:
        """Begin a recovery that stays in a status until `set_recovery`, Start or Cancel; return the RestoreId.

        It is of 15 minutes ago unless a time is given. The caller does not hold the lock.
        """
        chosen = Status(status)
        with self.lock:
            now = self.clock.now()
            pool = self.pool(pool_id)
            recovery = self.recoveries.begin(pool.id, now - self.recoveries.rules.least_age if to is None else to, now)
        self.set_recovery(recovery.id, chosen)
        return recovery.id

    def set_recovery(self, restore_id: str, status: str) -> None:
        """Give a recovery a status, which the clock does not change; RESTORE_COMPLETED applies it.

        The caller does not hold the lock. Raises ValueError for a status that Cognito does not have.
        """
        chosen = Status(status)
        with self.lock:
            recovery = self.recoveries.require(restore_id)
            recovery.held = True
            self.recoveries.move(self, recovery, chosen)

    def app_client(self, client_id: str) -> tuple[Pool, AppClient]:
        """Return the app client and its pool. Raises ResourceNotFoundException."""
        for pool_id, pool in self.moto.pools().items():
            if client_id in pool.clients:
                return self.pool(pool_id), self._app_client(pool.clients[client_id])
        raise not_there(f"User pool client {client_id} does not exist.")

    def _app_client(self, found: Any) -> AppClient:
        more = self.client_secrets.get(found.id)
        older = (more.older[1],) if more and more.older else ()
        return AppClient(found.id, found.extended_config, (found.secret, *older) if found.generate_secret else ())


Operation = Callable[[World, Parameters], dict[str, Any]]
"""An operation of Cognito, called with the lock held. Its answer holds times as seconds since 1970."""
