"""Judge the account and this machine: providers, quotas, permissions, clock, state file, versions.

Every function is pure: it takes the facts and makes no call. `check` asks them in turn.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from batch.check.facts import Allowed, Facts, Machine, UnreadError
from batch.check.finding import Finding, Topic, template
from batch.check.permissions import ONLY_IF_ALLOWED, Resource, statements
from userpool.quotas import DEFAULT_RPS

_PROVIDERS, _QUOTAS, _RIGHTS = map(Topic, ("identity providers", "quotas", "permissions"))
_CLOCK, _STATE, _VERSIONS = map(Topic, ("clock", "state file", "versions"))
_REFUSED_SECONDS = 300.0  # AWS refuses signatures that are older, or from further ahead (Signature Version 4)
_SKEWED_SECONDS = 30.0
_ROOM = 1024**3
_PRIVATE = 0o077
_NEEDED_BOTOCORE = (1, 44, 8)  # as pyproject.toml has it


def lost_users(facts: Facts) -> Iterator[Finding]:
    """Judge whether the new pool still has everybody whom this migration has created there."""
    missing, topic = facts.missing.found, Topic("lost users")
    if missing and missing.is_loss:
        yield topic.error(
            "lost-users",
            missing.sentence,
            "if that was a mistake, or a recovery of the pool, bring them back by the first line; if they were deleted "
            "on purpose, say so by the second.",
            "cognito-migrate recover --missing\ncognito-migrate recover --stay-deleted",
        )
    elif missing and missing.made:
        yield topic.ok("Everybody whom this migration has created is in the new pool, but for who was deleted there.")
    elif not facts.missing.problem:
        yield topic.ok("This migration has created nobody yet, as far as the inventory on this machine knows.")


def recoveries(facts: Facts) -> Iterator[Finding]:
    """Judge whether a pool is being set back to an earlier time, or was, and nobody has dealt with it."""
    topic = Topic("recoveries")
    for standing in facts.recoveries:
        words = standing.side.words
        if standing.paused:
            yield topic.error("writes-paused", standing.paused, "look at it, and wait.", standing.side.line)
        elif standing.fresh:
            new = standing.side.name == "target"
            what = (
                f"{words[0].upper()}{words[1:]} was set back to an earlier time, and this migration does not know it."
            )
            command = "cognito-migrate recover" if new else "cognito-migrate scan --after-recovery"
            yield topic.error("pool-set-back", what, "let this migration know.", command)
        elif not standing.known:
            what = f"Whether {words} was set back is not known: its plan, boto3 or a permission lacks it."
            yield topic.note("recoveries-not-known", what)
    if not any(standing.paused or standing.fresh for standing in facts.recoveries):
        yield topic.ok("No recovery of a pool to an earlier time is known that is under way, or not dealt with.")


def providers(facts: Facts) -> Iterator[Finding]:
    """Yield a warning for each identity provider of the old pool that the new pool lacks.

    A federated user signs in through a provider only, and has no password that could be migrated.
    """
    old, new = facts.source.providers.value, facts.target.providers.value
    # By name only. Cognito puts the provider's name in front of its users' names, so the same provider under another
    # name would give every user a new name.
    missing = {name: kind for name, kind in sorted(old.items()) if name not in new}
    if not missing:
        yield _PROVIDERS.ok("every provider of the old pool is in the new one." if old else "there are none.")
    for name, kind in missing.items():
        yield _PROVIDERS.warning(
            "provider-missing",
            f"the new pool lacks {name} ({kind}): who signs in by it does not cross, and cannot come back.",
            "Attach it under the very same name, which is part of its users' names. In the new pool's template:",
            template(
                "Type: AWS::Cognito::UserPoolIdentityProvider",
                "Properties:",
                f"  UserPoolId: {facts.config.target.user_pool_id}",
                f"  ProviderName: {json.dumps(name)}",
                f"  ProviderType: {kind}",
                "  ProviderDetails: {…}   # as in the old pool",
                "  AttributeMapping: {…}",
            ),
        )


def quotas(facts: Facts) -> Iterator[Finding]:
    """Yield what the job takes of each quota, and a warning where `rate.limits` is above the quota in force."""
    found, rate = facts.limits.found, facts.config.rate
    if facts.limits.problem is None and found is None:  # no pool could be asked
        raise UnreadError
    if found is None:
        yield _QUOTAS.note(
            "quotas-not-told",
            "Cognito does not tell the account's quotas, so AWS's defaults are taken.",
            "Allow cognito-idp:GetProvisionedLimit, or write raised ones into rate.limits.",
        )
        found = {}
    # GetProvisionedLimit knows the adjustable categories only. AWS's defaults stand for all others.
    limits = {**DEFAULT_RPS, **found}
    # `rate.limits` is the word `auto`, or RPS by category.
    hoped = {} if isinstance(rate.limits, str) else rate.limits
    above = [
        f"{name} {wanted:g} instead of {limits[name]:g}" for name, wanted in hoped.items() if wanted > limits[name]
    ]
    if above:
        yield _QUOTAS.warning(
            "limits-above-quota",
            f"rate.limits hopes for more RPS than there are: {', '.join(sorted(above))}; live sign-ins are throttled.",
            "Set rate.limits: auto, or raise the quotas first.",
        )
    used = {**limits, **hoped}
    # A run makes most of its calls in these three: create the user, set the password, add memberships.
    three = ("UserCreation", "UserAccountRecovery", "UserUpdate")
    said = ", ".join(f"{name} {used[name] * rate.share_of(name):g} of {limits[name]:g} RPS" for name in three)
    yield _QUOTAS.ok(f"the job takes {said}.")


def permissions(facts: Facts) -> Iterator[Finding]:
    """Yield the actions of `scan`, `run` and `verify` that are denied, with the policy to add, and those not known.

    Raises UnreadError if a pool was not described, because nothing was asked about it.
    """
    denied = [right for right, allowed in facts.rights.items() if allowed is Allowed.NO]
    unknown = [right for right, allowed in facts.rights.items() if allowed is Allowed.UNKNOWN]
    for resource in Resource:
        # The policy to copy has the optional actions as well, so that one paste is enough.
        actions = sorted(action for on, action in denied if on is resource)
        needed = [action for action in actions if action not in ONLY_IF_ALLOWED]
        if needed:
            yield _RIGHTS.error(
                "not-allowed",
                f"not allowed on the {resource}: {', '.join(needed)}.",
                "Add to the policy of whoever runs the job:",
                _policy(facts, resource, actions),
            )
        elif actions:
            yield _RIGHTS.note("not-allowed-optional", f"not allowed, and done without: {', '.join(actions)}.")
    if unknown:
        names = ", ".join(sorted(f"{action} on the {resource}" for resource, action in unknown))
        yield _RIGHTS.note(
            "not-known",
            f"whether these are allowed cannot be told without doing them: {names}.",
            "Allow iam:SimulatePrincipalPolicy to have it asked, or compare your policy with docs/permissions.md.",
        )
    # Without this line, a pool that could not be read would end in "all are allowed": no right of it was denied.
    _ = facts.source.described.value, facts.target.described.value  # of one that was not read, nothing was asked
    if not denied:
        sure = len(facts.rights) - len(unknown)
        yield _RIGHTS.ok(f"{sure} of {len(facts.rights)} actions that `scan`, `run` and `verify` need are allowed.")


def _policy(facts: Facts, resource: Resource, actions: list[str]) -> str:
    # `statements` leaves out what has no ARN. The placeholder keeps such a statement in the text, for a person to fill.
    arns = {resource: arn for resource, arn in arns_of(facts).items() if arn}
    needed = {resource: frozenset(actions)}
    return "\n".join(json.dumps(statement) for statement in statements(needed, {resource: "…", **arns}))


def arns_of(facts: Facts) -> dict[Resource, str]:
    """Return the ARNs of both pools and the ledger. The ARN is "" where it could not be read."""
    found = {}
    for resource, pool in ((Resource.SOURCE, facts.source), (Resource.TARGET, facts.target)):
        found[resource] = pool.described.found.description.arn if pool.described.found else ""
    # A table's identity is its ARN, a blank, and the moment at which it was created.
    ledger = facts.ledger.found
    found[Resource.LEDGER] = ledger.identity.partition(" ")[0] if ledger else ""
    return found


def clock(facts: Facts) -> Iterator[Finding]:
    """Yield how far this machine's clock is from Cognito's: an error from five minutes, a warning from 30 seconds.

    Source: Signature Version 4, which refuses a signature that is more than five minutes off.
    """
    off = max((facts.source.description.clock_offset, facts.target.description.clock_offset), key=abs)
    said = f"this machine's clock is {abs(off):.0f} s {'behind' if off > 0 else 'ahead of'} Cognito's"
    if abs(off) >= _REFUSED_SECONDS:
        yield _CLOCK.error("clock-wrong", f"{said}: AWS refuses what it signs.", "Set it.", "timedatectl set-ntp true")
    elif abs(off) >= _SKEWED_SECONDS:
        yield _CLOCK.warning("clock-skewed", f"{said}.", "Let it be set by the network.", "timedatectl set-ntp true")
    else:
        yield _CLOCK.ok("within seconds of Cognito's.")


def state_file(facts: Facts) -> list[Finding]:
    """Return what is wrong with the place of the inventory: unusable, readable by others, on a network, little room."""
    machine = facts.machine
    found = [*_place(machine, has_ledger=facts.captures)]
    return _STATE.or_ok(found, f"{machine.state} is on {machine.filesystem or 'a local disk'} and yours alone.")


def _place(machine: Machine, *, has_ledger: bool) -> Iterator[Finding]:
    if machine.state_problem:
        yield _STATE.error("state-unusable", machine.state_problem, "Correct `state` in config.yaml, or the folder.")
    if machine.mode is not None and machine.mode & _PRIVATE:
        yield _STATE.warning(
            "state-readable-by-others",
            f"{machine.state} holds every user's attributes, and others of this machine may read it.",
            "Keep it to yourself:",
            f"chmod 600 {shlex.quote(machine.state)}",
        )
    # With a ledger its RUN lease keeps a second machine out, so the lock of the file need not.
    if machine.on_network and not has_ledger:
        yield _STATE.warning(
            "state-on-network",
            f"{machine.state} is on a network filesystem ({machine.filesystem}), where no lock surely keeps another "
            "machine's run away.",
            "Let one machine alone run, or put `state` on a local disk.",
        )
    if machine.free is not None and machine.free < _ROOM:
        yield _STATE.warning(
            "little-room",
            f"{machine.free // 1024**2} MB are left where {machine.state} is; each user needs about a kilobyte, and as "
            "much again for each backup.",
            "Make room, or put `state` elsewhere.",
        )


def versions(facts: Facts) -> Iterator[Finding]:
    """Yield an error for a botocore that is older than this tool relies on."""
    found = facts.machine.botocore
    said = ".".join(map(str, found))
    if found < _NEEDED_BOTOCORE:
        yield _VERSIONS.error("botocore-too-old", f"botocore is {said}.", "Update it:", "pip install -U boto3")
    else:
        yield _VERSIONS.ok(f"botocore {said}.")
