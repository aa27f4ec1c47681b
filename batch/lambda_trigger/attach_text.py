"""The words of `trigger attach` and `detach`: lines of a template, the change, and what is in its way. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from batch.lambda_trigger.attach import Functions, LambdaConfig, TriggerChange, left_half, plainly
from batch.lambda_trigger.findings import DiagnosisStep, StepVerdict, ok, unchecked, wrong
from batch.ledger.count import KEEP_OUT, KEPT_OUT, LedgerCount
from batch.ledger.own_ledger import LedgerFacts
from userpool.person import PersonState
from userpool.plural import plural

_OWN = 'docs/trigger.md, "Functions of your own"'
_RUN = "Publish everybody first: cognito-migrate run"


def cloudformation(config: LambdaConfig) -> Iterator[str]:
    """Yield the lines of a LambdaConfig in a CloudFormation template."""
    if not config:
        yield "LambdaConfig: {}"
        return
    yield "LambdaConfig:"
    for name, value in plainly(config).items():
        if isinstance(value, Mapping):
            yield f"  {name}:"
            yield from (f"    {inner}: {said}" for inner, said in value.items())
        else:
            yield f"  {name}: {value}"


def terraform(config: LambdaConfig) -> Iterator[str]:
    """Yield the lines of a LambdaConfig in Terraform, with aligned values."""
    told = plainly(config)
    yield "lambda_config {"
    yield from _assignments({name: value for name, value in told.items() if not isinstance(value, Mapping)}, "  ")
    for name, value in told.items():
        if isinstance(value, Mapping):
            yield f"  {_in_terraform(name)} {{"
            yield from _assignments(value, "    ")
            yield "  }"
    yield "}"


def _assignments(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    named = {_in_terraform(name): value for name, value in values.items()}
    width = max(map(len, named), default=0)
    yield from (f'{indent}{name:<{width}} = "{value}"' for name, value in named.items())


def _in_terraform(name: str) -> str:
    """Return a name as Terraform writes it: `kms_key_id` for KMSKeyID."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def taken(change: TriggerChange) -> Iterator[DiagnosisStep]:
    """Yield a step for each needed trigger that calls somebody else's function."""
    for trigger, arn in change.taken.items():
        yield wrong(
            "triggers",
            f"{trigger} calls {arn} already.",
            f"Let that function call ours ({_OWN}) and pass --keep {trigger}; or let it go: --replace {trigger}.",
            "trigger-taken",
        )


def detachable(change: TriggerChange, *, force: bool) -> Iterator[DiagnosisStep]:
    """Yield what is in the way of detaching: nothing to detach, or only half of it. `force` allows the half."""
    if not change.removed:
        there = ", ".join(f"{name}: {arn}" for name, arn in change.kept.items())
        yield wrong(
            "triggers",
            f"no trigger calls these functions; the pool has {there or 'no functions at all'}.",
            "Name the functions just as they stand there.",
            "not-attached",
        )
    if not force and (left := left_half(change)):
        yield wrong(
            "triggers",
            f"{', '.join(left)} would still take old passwords, and nothing would settle whose they are.",
            f"Detach that as well: --capture {next(iter(left.values()))}; or --force, if that function is not ours.",
            "left-half",
        )


def published(found: LedgerFacts, table: str, *, elsewhere: bool) -> DiagnosisStep:
    """Return whether every user is published to the ledger. `elsewhere`: the ledger is not in the new pool's Region."""
    if elsewhere:
        said = f"the ledger {table} is in another Region than the new pool, where the function looks for it."
        remedy = "Leave `ledger.region` out, and keep the table in the new pool's Region."
    elif found.lost:
        said, remedy = f"there is no table {table} any more.", found.lost
    elif not found.there:
        said, remedy = f"there is no table {table}.", f"Make it (docs/trigger.md). {_RUN}"
    # The order matters: each question has an answer only if those before it found nothing wrong.
    elif found.whose:
        said, remedy = "the ledger is not of these two pools.", found.whose
    elif found.written is None:
        said, remedy = "nothing was published to the ledger yet: the function would refuse everybody.", _RUN
    elif found.written != found.identity:
        said = "the ledger is a copy, restored from a backup perhaps: the function would refuse everybody."
        remedy = "Close whoever is open in it: cognito-migrate run"
    # Not "all is well": attaching before every user is published would refuse those that are missing.
    elif found.unpublished is None:
        said = "there is no inventory here to tell whether everybody is published."
        remedy = "Give the command where migration.db is (`state` in config.yaml)."
    elif found.unpublished:
        unpublished = plural(found.unpublished, "scanned user is", "scanned users are")
        said, remedy = f"{unpublished} not published: the function would refuse them.", _RUN
    else:
        return ok("ledger", "everybody is published for these two pools.")
    return wrong("ledger", said, remedy, "not-published")


def let_in(counted: LedgerCount) -> Iterator[DiagnosisStep]:
    """Yield which users could sign in without the function although they should not.

    The old pool has them disabled, or an old password may still be set although they have to choose another.
    """
    if counted.kept_out:
        said = KEPT_OUT.format(count=counted.kept_out)
        yield unchecked("disabled profiles", f"{said} {KEEP_OUT.capitalize()}.")
    if counted.again:
        said = f"{plural(counted.again, 'has', 'have')} to reset their password once more: the old one may stand"
        yield unchecked("passwords", f"{said}, and only the function refuses it. Let them go by forgot-password first.")


def nobody_waits(counted: LedgerCount) -> DiagnosisStep:
    """Return whether any person still waits for the function."""
    waiting = {
        state: counted.states[state] for state in PersonState if state in counted.states and not _needs_nothing(state)
    }
    said = [f"{number} {state}" for state, number in waiting.items()]
    if counted.owing:
        said.append(f"{counted.owing} owed {plural(counted.owed, 'membership')}")
    if not said:
        return ok("ledger", f"nobody of {plural(counted.persons, 'person')} waits for the function.")
    return wrong(
        "ledger",
        f"persons wait for the function: {', '.join(said)}.",
        "Leave it attached until they have come. Or --force: they have to reset the password, and lack what is owed.",
        "persons-wait",
    )


def is_over(counted: LedgerCount) -> Iterator[DiagnosisStep]:
    """Yield, for a finished migration, that no password waits for the function, and what is still owed by it."""
    yield ok("ledger", "the migration is finished: no old password counts any more.")
    if counted.owing:
        said = (
            f"{plural(counted.owing, 'is', 'are')} owed {plural(counted.owed, 'membership')}, which only "
            "the function gives, with a token."
        )
        yield unchecked("memberships", said)


def _needs_nothing(state: PersonState) -> bool:
    # A held person is refused with or without the function, and a returned one has what the function gives.
    return state.final or state in {PersonState.HELD, PersonState.RETURNED}


def template_lines(change: TriggerChange, pool_id: str) -> Iterator[str]:
    """Yield the lines that the pool's own template needs, so that its next deployment keeps the change."""
    yield f"If a template owns {pool_id}, put this there: its next deployment drops what is attached behind its back."
    yield "  CloudFormation, in the Properties of the AWS::Cognito::UserPool:"
    yield from (f"    {line}" for line in cloudformation(change.after))
    yield "  Terraform, in the aws_cognito_user_pool:"
    yield from (f"    {line}" for line in terraform(change.after))


def change_lines(change: TriggerChange, undo: str) -> Iterator[str]:
    """Yield what would change, what stays, and how to undo it."""
    replaced = change.replaced
    for trigger, arn in change.set.items():
        yield f"{trigger}: {arn}" + (f", instead of {replaced[trigger]}" if trigger in replaced else "")
    yield from (f"{trigger}: nothing any more; before {arn}" for trigger, arn in change.removed.items())
    yield from (f"{trigger}: {arn}, as now" for trigger, arn in change.kept.items())
    for trigger, instead in change.stand_ins.items():
        yield (
            f"Note: {trigger} is left to the app's function, and {instead} does instead: the first token lacks groups "
            f"that are still owed, and managed login may not call it. Better let that function call ours ({_OWN}), and "
            f"pass --keep {trigger}."
        )
    if change.changed:
        yield f"To undo: {undo}"
        if replaced:
            # `detach` only takes functions away, so the LambdaConfig of before is printed for a person to restore.
            yield "  It does not bring back what was replaced."
        yield f"  LambdaConfig before: {json.dumps(change.before, sort_keys=True)}"


def finding_lines(found: list[DiagnosisStep]) -> Iterator[str]:
    """Yield what was looked at, each with the remedy if it is wrong."""
    for one in found:
        yield str(one)
        if one.remedy:
            yield f"  Remedy: {one.remedy}"


def as_values(
    change: TriggerChange, found: list[DiagnosisStep], functions: Functions, undo: str, *, applied: bool
) -> dict[str, Any]:
    """Return the change and what was found for `--json`. `applied`: the pool was changed."""
    return {
        "applied": applied,
        "refused": any(one.verdict is StepVerdict.WRONG for one in found),
        "findings": [asdict(one) for one in found],
        "functions": dict(functions),
        "set": change.set,
        "replaced": change.replaced,
        "removed": change.removed,
        "kept": change.kept,
        "before": dict(change.before),
        "after": dict(change.after),
        "cloudformation": "\n".join(cloudformation(change.after)),
        "terraform": "\n".join(terraform(change.after)),
        "undo": undo,
    }
