"""The facts that `check` judges: both pools, the ledger and this machine, or why one could not be read. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Literal, Self, TypeVar

from batch.check.permissions import Resource
from batch.inventory.missing import Missing
from batch.ledger.own_ledger import LedgerFacts
from batch.recovery.gate import Standing
from batch.runtime.stopping import StoppedError
from batch.settings.config import Config
from userpool.app_client import AppClient
from userpool.description import Description
from userpool.errors import MigrationError

T = TypeVar("T")


class UnreadError(Exception):
    """A judge needs a fact that could not be read."""


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A fact, or the problem for which it could not be read. Neither is set where nothing was asked."""

    found: T | None = None
    problem: MigrationError | None = None

    @classmethod
    def of(cls, ask: Callable[[], T]) -> Self:
        """Return the answer of `ask`, or the MigrationError that it raised.

        Raises StoppedError, because a stop is not a finding.
        """
        try:
            return cls(ask())
        # It is a MigrationError too. Below it would become a finding, and the check would go on after Ctrl-C.
        except StoppedError:
            raise
        except MigrationError as error:
            return cls(problem=error)

    @property
    def value(self) -> T:
        """The fact. Raises UnreadError if there is none."""
        if self.found is None:
            raise UnreadError
        return self.found


@dataclass(frozen=True, slots=True)
class Client:
    """An app client, without its secret. `writable` has the attributes that its WriteAttributes names.

    `settings` is the whole `UserPoolClient` but for the secret.
    """

    app: AppClient
    has_secret: bool
    writable: frozenset[str]
    hides_users: bool
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read the `UserPoolClient` of DescribeUserPoolClient.

        The secret is dropped; only that there is one is kept.
        """
        return cls(
            app=AppClient.from_api({**item, "ClientSecret": None}),
            has_secret=AppClient.from_api(item).has_secret,
            writable=frozenset(item.get("WriteAttributes") or ()),
            hides_users=item.get("PreventUserExistenceErrors") == "ENABLED",
            settings={name: value for name, value in item.items() if name != "ClientSecret"},
        )

    @property
    def name(self) -> str:
        """The name that an administrator gave the client, otherwise its id."""
        return self.app.name or self.app.client_id


@dataclass(frozen=True, slots=True)
class Described:
    """A pool as DescribeUserPool has it.

    `description` is what a migration depends on, `settings` the whole `UserPool`. `unknown` names the settings that
    this boto3 does not know.
    """

    description: Description
    settings: Mapping[str, Any]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What was read of one pool.

    `mfa` is the answer of GetUserPoolMfaConfig. `providers` has the types of the identity providers, by name.
    `resource_servers` has the scopes of each by its identifier, `sessions` the answer of
    GetUserPoolSessionConfiguration, `replicas` the other Regions. `reused_minutes` is how long each app client, by its
    id, reuses a session; it is asked only where sessions are tracked. These four may not be allowed.
    """

    described: Read[Described]
    mfa: Read[Mapping[str, Any]]
    clients: Read[tuple[Client, ...]]
    providers: Read[Mapping[str, str]]
    resource_servers: Read[Mapping[str, frozenset[str]]] = field(default_factory=Read)
    sessions: Read[Mapping[str, Any]] = field(default_factory=Read)
    replicas: Read[tuple[str, ...]] = field(default_factory=Read)
    reused_minutes: Read[Mapping[str, int]] = field(default_factory=Read)

    @property
    def tracks_sessions(self) -> bool:
        """Whether the sessions of each user are limited. False where that is not known."""
        return (self.sessions.found or {}).get("UserSessionTracking") == "ENABLED"

    @property
    def description(self) -> Description:
        """What a migration depends on. Raises UnreadError if the pool could not be described."""
        return self.described.value.description

    @property
    def settings(self) -> Mapping[str, Any]:
        """The whole `UserPool` of DescribeUserPool. Raises UnreadError if the pool could not be described."""
        return self.described.value.settings


class Allowed(StrEnum):
    """Whether these credentials may do something. UNKNOWN is common: creating cannot be tried without creating."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "not known"


Rights = Mapping[tuple[Resource, str], Allowed]


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that the job runs on, and the place of the inventory.

    `state_problem` is why the inventory cannot be used, `mode` its permission bits, `filesystem` the kind of filesystem
    and `free` the bytes that are left on it. `botocore` is the version, in numbers.
    """

    state: str
    state_problem: str = ""
    mode: int | None = None
    on_network: bool = False
    filesystem: str = ""
    free: int | None = None
    botocore: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the judges may look at.

    `policies` are the resource-based policies of the new pool's functions by ARN, None for a function without one.
    `limits` are the provisioned RPS by category. `client_id` is the app client of the old pool that the function uses,
    if the operator named it. `risks` are the answers of DescribeRiskConfiguration for those of its app clients that may
    prove passwords, by id, if threat protection is ENFORCED there.
    `recoveries` are those of both pools, `missing` users of this migration who are not there any more.
    """

    config: Config
    source: PoolFacts
    target: PoolFacts
    machine: Machine
    policies: Read[Mapping[str, str | None]] = field(default_factory=Read)
    ledger: Read[LedgerFacts] = field(default_factory=Read)
    limits: Read[Mapping[str, float]] = field(default_factory=Read)
    risks: Read[Mapping[str, Mapping[str, Any]]] = field(default_factory=Read)
    missing: Read[Missing] = field(default_factory=Read)
    recoveries: tuple[Standing, ...] = ()
    rights: Rights = field(default_factory=dict)
    client_id: str | None = None
    mfa_users: Literal["reset", "capture"] = "reset"

    @property
    def captures(self) -> bool:
        """Whether passwords are captured at sign-in: with a ledger, until the migration is finished."""
        return self.config.ledger is not None and not self.finished

    @property
    def finished(self) -> bool:
        """Whether the ledger says that the migration has ended."""
        return self.ledger.found is not None and self.ledger.found.finished
