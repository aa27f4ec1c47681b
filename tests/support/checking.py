"""A migration that is well set up, in this process, for `check` to look at; each test makes one thing wrong in it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ledgers import new_table

from batch.check.check import findings
from batch.check.facts import Facts
from batch.check.finding import Finding, Severity
from batch.check.reading import CheckSources, PoolReader, read_facts
from batch.inventory.inventory import Inventory, fingerprint
from batch.ledger.opening import Opening
from batch.plan.plan import make_plan
from batch.plan.user_plan import Context
from batch.runtime.progress_bar import ProgressBars
from batch.scan.scan import Scan
from batch.settings.config import Config
from sandbox.cognito import Cognito
from sandbox.in_process import client
from sandbox.world import World
from userpool.errors import NotAllowedError
from userpool.ledger_table import LedgerTable
from userpool.pool import UserPool
from userpool.settings import LedgerSettings, PoolSettings, Rules
from userpool.terms import Terms

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:capture"
TRIGGERS = (
    *("UserMigration", "DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"),
    *("PreTokenGeneration", "PostConfirmation", "PreSignUp"),
)
LETS_IN = (
    '{"Statement": {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*", '
    '"Principal": {"Service": "cognito-idp.amazonaws.com"}}}'
)
MARKER = {
    "Name": "legacy_sub",
    "AttributeDataType": "String",
    "Mutable": False,
    "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "64"},
}
_POLICY = {
    "MinimumLength": 8,
    "RequireUppercase": True,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": False,
}
_RECOVERY = {
    "RecoveryMechanisms": [
        {"Name": "verified_email", "Priority": 1},
        {"Name": "verified_phone_number", "Priority": 2},
    ]
}


def tenant(**changes: Any) -> dict[str, Any]:
    """The custom attribute of both pools."""
    bounds = {"StringAttributeConstraints": {"MinLength": "0", "MaxLength": "20"}}
    return {"Name": "tenant", "AttributeDataType": "String", "Mutable": True, **bounds, **changes}


OLD: Mapping[str, Any] = {
    "PoolName": "old",
    "Schema": [tenant()],
    "AutoVerifiedAttributes": ["email"],
    "AliasAttributes": ["email"],
    "Policies": {"PasswordPolicy": _POLICY},
}
NEW: Mapping[str, Any] = {
    "PoolName": "new",
    "Schema": [MARKER, tenant()],
    "AutoVerifiedAttributes": ["email"],
    "AliasAttributes": ["email"],
    "UsernameConfiguration": {"CaseSensitive": False},
    "Policies": {"PasswordPolicy": _POLICY},
    "AccountRecoverySetting": _RECOVERY,
    "EmailConfiguration": {
        "EmailSendingAccount": "DEVELOPER",
        "SourceArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
    },
    "SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms", "ExternalId": "x"},
    "LambdaConfig": dict.fromkeys(TRIGGERS, FUNCTION),
    "DeletionProtection": "ACTIVE",
}
OLD_APP = {"ClientName": "migration", "ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]}
NEW_APP = {
    "ClientName": "app",
    "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    "PreventUserExistenceErrors": "ENABLED",
}


@dataclass
class Setup:
    """A migration: its pools, its ledger, and what is asked of Lambda and IAM instead of AWS."""

    cognito: Any
    world: World
    table: LedgerTable
    config: Config
    refused: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    policy: str | None = LETS_IN
    options: dict[str, Any] = field(default_factory=dict)

    def announce(self) -> None:
        """Leave behind what `run` does when the old pool has nobody: an inventory, and the terms in the ledger."""
        old, new = (UserPool(self.cognito, pool.user_pool_id) for pool in (self.config.source, self.config.target))
        Inventory.open(Path(self.config.state), fingerprint(self.config), create=True).close()
        described = new.describe()
        Terms(
            source_pool_id=old.pool_id,
            target_pool_id=new.pool_id,
            marker="custom:legacy_sub",
            sign_in=described.sign_in,
            schema=described.schema,
            rules=Rules(),
            table=self.table.identity(),
            log_key="a key",
        ).save(self.table)

    def publish(self) -> None:
        """Scan and publish, as `run` does before it creates anybody."""
        old, new = (UserPool(self.cognito, pool.user_pool_id) for pool in (self.config.source, self.config.target))
        stop, quiet = threading.Event(), ProgressBars(quiet=True)
        with Inventory.open(Path(self.config.state), fingerprint(self.config), create=True) as inventory:
            Scan(old, inventory, workers=2, stop=stop, progress=quiet).run(lambda _users, _groups: "group")
            context = Context.of(self.config.rules, old.describe(), new.describe())
            make_plan(inventory, context, {})
            opening = Opening(
                table=self.table,
                inventory=inventory,
                context=context,
                decisions={},
                source_pool_id=old.pool_id,
                target=new,
                now=lambda: 1e9,
                workers=2,
                stop=stop,
                progress=quiet,
                say=lambda _: None,
            )
            with opening.claims():
                pass

    def add_users(self, *names: str) -> None:
        """Add users to the old pool."""
        for name in names:
            self.cognito.admin_create_user(
                UserPoolId=self.config.source.user_pool_id, Username=name, MessageAction="SUPPRESS"
            )

    def configure(self, **settings: Any) -> None:
        """Change settings of config.yaml."""
        self.config = replace(self.config, **settings)

    def old(self, **changes: Any) -> None:
        """Change settings of the old pool."""
        self.cognito.update_user_pool(UserPoolId=self.config.source.user_pool_id, **{**_changeable(OLD), **changes})

    def new(self, **changes: Any) -> None:
        """Change settings of the new pool; None takes one away."""
        wanted = {**_changeable(NEW), **changes}
        self.cognito.update_user_pool(
            UserPoolId=self.config.target.user_pool_id,
            **{name: value for name, value in wanted.items() if value is not None},
        )

    def facts(self) -> Facts:
        """Read everything."""
        where = CheckSources(
            config=self.config,
            source=PoolReader(self.cognito, self.config.source.user_pool_id, self._called),
            target=PoolReader(self.cognito, self.config.target.user_pool_id, self._called),
            table=self.table if self.config.ledger else None,
            **{"policy_of": lambda _: self.policy, "simulate": {}, **self.options},
        )
        return read_facts(where)

    def findings(self) -> list[Finding]:
        """Check."""
        return findings(self.facts())

    def bad(self) -> dict[str, Finding]:
        """The errors and warnings, by code."""
        return {one.code: one for one in self.findings() if one.severity in {Severity.ERROR, Severity.WARNING}}

    def _called(self, operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:  # noqa: ARG002 -- a Policy
        self.calls[operation] += 1
        if operation in self.refused:
            raise NotAllowedError(f"Not allowed to call {operation}: grant cognito-idp:{operation} and rerun.")
        return attempt()


def _changeable(options: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {"PoolName", "Schema", "UsernameAttributes", "AliasAttributes", "UsernameConfiguration"}
    return {name: value for name, value in options.items() if name not in fixed}


def set_up(
    folder: Path,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    old_app: Mapping[str, Any] | None = None,
    new_app: Mapping[str, Any] | None = None,
) -> Setup:
    """Make a good set-up, published and attached, but for what is given. Nobody is in the old pool."""
    account = Cognito()
    cognito = client(account)
    pools = []
    for options, app in (
        ({**OLD, **(old or {})}, {**OLD_APP, **(old_app or {})}),
        ({**NEW, **(new or {})}, {**NEW_APP, **(new_app or {})}),
    ):
        pools.append(cognito.create_user_pool(**options)["UserPool"]["Id"])
        cognito.create_user_pool_client(UserPoolId=pools[-1], **app)
    table = new_table()
    config = Config(
        source=PoolSettings(pools[0]),
        target=PoolSettings(pools[1]),
        state=str(folder / "migration.db"),
        ledger=LedgerSettings(table.name),
    )
    return Setup(cognito, account.world, table, config)
