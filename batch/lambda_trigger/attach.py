"""Which triggers of a pool call our functions: a LambdaConfig in, the wanted LambdaConfig out. Values only.

Either every needed trigger calls our functions, or nothing is changed. What is not ours stays as it is.
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
"""The `LambdaConfig` of a pool. It has an ARN for each trigger, or a map with `LambdaArn` and `LambdaVersion`."""
Functions = Mapping[str, str]
"""The ARNs of `capture` and `gate`. One function may be both."""
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
"""The triggers of the pool (names in its LambdaConfig) that each of the two functions is for."""


@dataclass(frozen=True, slots=True)
class TriggerChange:
    """A LambdaConfig as it is, and as it should be.

    `taken` are needed triggers that call somebody else's function, with its ARN. If there are any, nothing is changed.
    `stand_ins` name the trigger that is used instead of one that the app's own function keeps.
    """

    before: LambdaConfig
    after: LambdaConfig
    taken: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether the two LambdaConfigs differ in any function."""
        return bool(self.set or self.removed)

    @property
    def set(self) -> dict[str, str]:
        """The triggers that will call another function than now, or one for the first time, with its ARN."""
        before = triggers_of(self.before)
        return {trigger: arn for trigger, arn in triggers_of(self.after).items() if before.get(trigger) != arn}

    @property
    def replaced(self) -> dict[str, str]:
        """The triggers that will call another function, with the ARN that they call now."""
        before = triggers_of(self.before)
        return {trigger: before[trigger] for trigger in self.set if trigger in before}

    @property
    def removed(self) -> dict[str, str]:
        """The triggers that will call nothing any more, with the ARN that they call now."""
        after = triggers_of(self.after)
        return {trigger: arn for trigger, arn in triggers_of(self.before).items() if trigger not in after}

    @property
    def kept(self) -> dict[str, str]:
        """The triggers that call the same function before and after, with its ARN."""
        before = triggers_of(self.before)
        return {trigger: arn for trigger, arn in triggers_of(self.after).items() if before.get(trigger) == arn}


def attaching(
    config: LambdaConfig,
    functions: Functions,
    *,
    keep: Collection[str] = (),
    replace: Collection[str] = (),
) -> TriggerChange:
    """Return the change by which every needed trigger calls its function.

    A trigger of `keep` that has a function already keeps it, because that function calls ours. A function on a trigger
    of `replace` is replaced. Any other function on a needed trigger blocks the whole change.
    """
    there, ours = triggers_of(config), _ours(functions)
    others = {name for name, arn in there.items() if name in ours and arn != ours[name]} - set(replace)
    blocked = others - set(keep)
    # An app's own PreTokenGeneration need not give way: PostAuthentication does the same for a sign-in, but the first
    # token lacks the groups that are still owed.
    stand_ins = {name: instead for name, instead in INSTEAD.items() if name in blocked and instead not in blocked}
    wanted = [stand_ins.get(name, name) for name in NEEDED]
    # Half of the triggers would let an old password count twice, so one that is taken stops all.
    if taken := {name: there[name] for name in wanted if name in blocked}:
        return TriggerChange(config, config, taken)
    # UpdateUserPool replaces the whole LambdaConfig, so what is not ours goes back as it was.
    after = dict(config)
    for name in wanted:
        if name not in others:
            _put(after, name, ours[name])
    return TriggerChange(config, after, stand_ins=stand_ins)


def detaching(config: LambdaConfig, functions: Functions) -> TriggerChange:
    """Return the change by which no trigger calls these functions any more. Functions of others stay."""
    arns, triggers = set(functions.values()), triggers_of(config)
    gone = {name for names in SOURCES.values() for name in names if triggers.get(name) in arns}
    # PreTokenGeneration may stand in the LambdaConfig twice, once with the suffix: both go together.
    after = {name: value for name, value in config.items() if name.removesuffix("Config") not in gone}
    return TriggerChange(config, after)


def left_half(change: TriggerChange) -> dict[str, str]:
    """Return the functions that would still capture passwords after their settling half was detached, by trigger."""
    # The other way round is harmless: without `capture` no old password is taken, and `gate` settles what was.
    if not change.removed.keys() & set(SOURCES["gate"]):
        return {}
    return {name: arn for name, arn in triggers_of(change.after).items() if name in SOURCES["capture"]}


def same(one: LambdaConfig, other: LambdaConfig) -> bool:
    """Whether two LambdaConfigs mean the same, however PreTokenGeneration is written."""
    return plainly(one) == plainly(other)


def plainly(config: LambdaConfig) -> dict[str, Any]:
    """Return a LambdaConfig with PreTokenGeneration once, with its version, and without empty entries.

    Cognito may return it in both ways, with the same ARN (API reference, LambdaConfigType).
    """
    told = {name: value for name, value in config.items() if value}
    arn = told.pop(_TOKEN, None)
    if arn and _TOKEN_CONFIG not in told:
        told[_TOKEN_CONFIG] = {"LambdaArn": arn, "LambdaVersion": _EVERY_PLAN_HAS}
    return told


def not_of_the_pool(arn: str, pool_arn: str) -> str:
    """Return why a pool cannot have the function of an ARN, as a sentence without its subject. "" if it can."""
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
    """Let a trigger call a function, in every way in which it is written already, and with the version that it has."""
    as_new = _TOKEN_CONFIG if trigger == _TOKEN else trigger
    # If Cognito has it in both ways, both must have the same ARN (API reference, LambdaConfigType).
    for name in [name for name in (trigger, f"{trigger}Config") if config.get(name)] or [as_new]:
        versioned = {"LambdaVersion": _EVERY_PLAN_HAS, **config.get(name, {})} if name == _TOKEN_CONFIG else None
        config[name] = arn if versioned is None else {**versioned, "LambdaArn": arn}
