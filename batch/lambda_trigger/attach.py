"""Which triggers of a pool call our functions: a LambdaConfig in, the one that is to be out. Values only.

All needed triggers call them, or nothing is changed; and what is not ours is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from batch.lambda_trigger.capture_way import INSTEAD, NEEDED
from userpool.description import triggers_of

LambdaConfig = Mapping[str, Any]
"""The `LambdaConfig` of a pool: an ARN by trigger, or a map with `LambdaArn` and `LambdaVersion`."""
Functions = Mapping[str, str]
"""The ARNs of `capture` and `gate`, which may be one and the same."""
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:[\w-]+(:[\w-]+)?",
    re.ASCII,
)
_TOKEN, _TOKEN_CONFIG = "PreTokenGeneration", "PreTokenGenerationConfig"
_EVERY_PLAN_HAS = "V1_0"  # of an event's versions; the others need Essentials or Plus
SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "capture": ("UserMigration", "DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"),
        "gate": ("PreTokenGeneration", "PostAuthentication", "PostConfirmation", "PreSignUp"),
    }
)
"""By function of the trigger, the pool's triggers (of its LambdaConfig) that it is for."""


@dataclass(frozen=True, slots=True)
class TriggerChange:
    """A LambdaConfig as it is, and as it is to be.

    `taken` are needed triggers that call somebody else's function, by its ARN: then nothing is to be changed.
    `stand_ins` name the trigger that does instead of another, which is the app's own.
    """

    before: LambdaConfig
    after: LambdaConfig
    taken: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there is anything to be changed."""
        return bool(self.set or self.removed)

    @property
    def set(self) -> dict[str, str]:
        """What functions triggers are to call that do not call them now."""
        before = triggers_of(self.before)
        return {trigger: arn for trigger, arn in triggers_of(self.after).items() if before.get(trigger) != arn}

    @property
    def replaced(self) -> dict[str, str]:
        """What functions triggers call now that are to call another."""
        before = triggers_of(self.before)
        return {trigger: before[trigger] for trigger in self.set if trigger in before}

    @property
    def removed(self) -> dict[str, str]:
        """What functions triggers call now that are to call none."""
        after = triggers_of(self.after)
        return {trigger: arn for trigger, arn in triggers_of(self.before).items() if trigger not in after}

    @property
    def kept(self) -> dict[str, str]:
        """What functions triggers call now and afterwards."""
        before = triggers_of(self.before)
        return {trigger: arn for trigger, arn in triggers_of(self.after).items() if before.get(trigger) == arn}


def attaching(
    config: LambdaConfig,
    functions: Functions,
    *,
    keep: Collection[str] = (),
    replace: Collection[str] = (),
) -> TriggerChange:
    """Let every needed trigger call its function.

    A trigger of `keep` that has a function already is left to it: that one calls ours. What stands on a trigger of
    `replace` has to give way.
    """
    there, ours = triggers_of(config), _ours(functions)
    others = {name for name, arn in there.items() if name in ours and arn != ours[name]} - set(replace)
    blocked = others - set(keep)
    stand_ins = {name: instead for name, instead in INSTEAD.items() if name in blocked and instead not in blocked}
    wanted = [stand_ins.get(name, name) for name in NEEDED]
    if taken := {name: there[name] for name in wanted if name in blocked}:
        return TriggerChange(config, config, taken)
    after = dict(config)
    for name in wanted:
        if name not in others:
            _put(after, name, ours[name])
    return TriggerChange(config, after, stand_ins=stand_ins)


def detaching(config: LambdaConfig, functions: Functions) -> TriggerChange:
    """Let no trigger call these functions any more."""
    arns, triggers = set(functions.values()), triggers_of(config)
    gone = {name for names in SOURCES.values() for name in names if triggers.get(name) in arns}
    after = {name: value for name, value in config.items() if name.removesuffix("Config") not in gone}
    return TriggerChange(config, after)


def left_half(change: TriggerChange) -> dict[str, str]:
    """Return the functions that would still capture passwords, by trigger, where what settles them was taken away."""
    if not change.removed.keys() & set(SOURCES["gate"]):
        return {}
    return {name: arn for name, arn in triggers_of(change.after).items() if name in SOURCES["capture"]}


def same(one: LambdaConfig, other: LambdaConfig) -> bool:
    """Whether two LambdaConfigs mean the same."""
    return plainly(one) == plainly(other)


def plainly(config: LambdaConfig) -> dict[str, Any]:
    """Return a LambdaConfig with its PreTokenGeneration told once, with the version, and without what is empty.

    Cognito may tell it in both ways, which then have the same ARN (API reference, LambdaConfigType).
    """
    told = {name: value for name, value in config.items() if value}
    arn = told.pop(_TOKEN, None)
    if arn and _TOKEN_CONFIG not in told:
        told[_TOKEN_CONFIG] = {"LambdaArn": arn, "LambdaVersion": _EVERY_PLAN_HAS}
    return told


def not_of_the_pool(arn: str, pool_arn: str) -> str:
    """Say why a pool cannot have the function of an ARN; nothing if it can."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return (
            "is not the ARN of a Lambda function: give the whole one, like arn:aws:lambda:REGION:ACCOUNT:function:NAME"
        )
    _, partition, _, region, account, *_ = pool_arn.split(":")
    if found["partition"] != partition or found["region"] != region:
        return f"is not in {region}, where the pool is, and Cognito calls functions of its Region only: deploy it there"
    if found["account"] != account:
        return f"is not of the account {account}, which has the pool and the ledger: deploy it there"
    return ""


def _ours(functions: Functions) -> dict[str, str]:
    return {trigger: functions[name] for name, triggers in SOURCES.items() for trigger in triggers}


def _put(config: dict[str, Any], trigger: str, arn: str) -> None:
    """Let a trigger call a function, in every way that it is told already, and with the version it has."""
    as_new = _TOKEN_CONFIG if trigger == _TOKEN else trigger
    for name in [name for name in (trigger, f"{trigger}Config") if config.get(name)] or [as_new]:
        versioned = {"LambdaVersion": _EVERY_PLAN_HAS, **config.get(name, {})} if name == _TOKEN_CONFIG else None
        config[name] = arn if versioned is None else {**versioned, "LambdaArn": arn}
