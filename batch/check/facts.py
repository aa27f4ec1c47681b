"""What `check` judges: both pools, the ledger and this machine as they were read, or why they were not. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Literal, Self, TypeVar

from batch.check.permissions import Resource
from batch.ledger.own_ledger import LedgerFacts
from batch.runtime.stopping import StoppedError
from batch.settings.config import Config
from userpool.app_client import AppClient
from userpool.description import Description
from userpool.errors import MigrationError

T = TypeVar("T")


class UnreadError(Exception):
    """A judgement needs what could not be read."""


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What was read, or why it could not be."""

    found: T | None = None
    problem: MigrationError | None = None

    @classmethod
    def of(cls, ask: Callable[[], T]) -> Self:
        """Ask for it. What cannot be read is a finding, and no end."""
        try:
            return cls(ask())
        except StoppedError:
            raise
        except MigrationError as error:
            return cls(problem=error)

    @property
    def value(self) -> T:
        """What was read. Raises UnreadError if nothing was."""
        if self.found is None:
            raise UnreadError
        return self.found


@dataclass(frozen=True, slots=True)
class Client:
    """An app client, without its secret. `writable` are the attributes it may write, if it names any."""

    app: AppClient
    has_secret: bool
    writable: frozenset[str]
    hides_users: bool

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read the `UserPoolClient` of DescribeUserPoolClient."""
        return cls(
            app=AppClient.from_api({**item, "ClientSecret": None}),
            has_secret=bool(item.get("ClientSecret")),
            writable=frozenset(item.get("WriteAttributes") or ()),
            hides_users=item.get("PreventUserExistenceErrors") == "ENABLED",
        )

    @property
    def name(self) -> str:
        """What people call it."""
        return self.app.name or self.app.client_id


@dataclass(frozen=True, slots=True)
class Described:
    """A pool: what a migration depends on, and DescribeUserPool's whole `UserPool`."""

    description: Description
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """One pool. `mfa` is the answer of GetUserPoolMfaConfig; `providers` are the identity providers' types by name."""

    described: Read[Described]
    mfa: Read[Mapping[str, Any]]
    clients: Read[tuple[Client, ...]]
    providers: Read[Mapping[str, str]]

    @property
    def description(self) -> Description:
        """What a migration depends on."""
        return self.described.value.description

    @property
    def settings(self) -> Mapping[str, Any]:
        """DescribeUserPool's `UserPool`."""
        return self.described.value.settings


class Allowed(StrEnum):
    """Whether these credentials may do something."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "not known"


Rights = Mapping[tuple[Resource, str], Allowed]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the job runs. `state_problem` is why the inventory cannot be used; `mode` are its permission bits.

    `filesystem` is the kind it is on, `free` the bytes that are left there; `botocore` its version.
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
    """Everything. `policies` are those of the new pool's functions, by ARN, None where there is none.

    `limits` are the provisioned RPS by category, of both sides. `client_id` is the old pool's app client that the
    function uses, if that was said.
    """

    config: Config
    source: PoolFacts
    target: PoolFacts
    machine: Machine
    policies: Read[Mapping[str, str | None]] = field(default_factory=Read)
    ledger: Read[LedgerFacts] = field(default_factory=Read)
    limits: Read[Mapping[str, float]] = field(default_factory=Read)
    rights: Rights = field(default_factory=dict)
    client_id: str | None = None
    mfa_users: Literal["reset", "capture"] = "reset"

    @property
    def captures(self) -> bool:
        """Whether passwords are to be captured."""
        return self.config.ledger is not None
