"""Decide what becomes of one user. Values in, values out: no pool, no file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from batch.plan.naming import Naming
from batch.plan.three_way import Wanted
from batch.settings.decisions import Decision
from userpool.attributes import Schema, Translation, translate
from userpool.description import Description
from userpool.errors import SettingsError, UserError
from userpool.factors import NEEDS, SECOND, Factors, Preference, to_enrol, to_set
from userpool.identities import ATTRIBUTE, Identity, is_profile, linked
from userpool.identity import SignIn
from userpool.settings import Rules
from userpool.user import Status, User

NEVER_CONFIRMED = "never confirmed its sign-up (users.unconfirmed)"
"""Why who is UNCONFIRMED is left out; the ledger lets exactly these sign up anew."""

OUTSIDE = "outside the cohort (users.only)"
"""Why who is to cross later is left out."""

AFTER_CUTOVER = "after the cut-over: was not among those who were to cross (decide `create` to bring them over)"
"""Why who signed up in the old pool since the cut-over is left out, and who was left out at it."""

FEDERATED = "federated: comes back with its first federated sign-in"
"""Why a federated profile is left out."""

DEFERRED = "federated: gets its groups and old sub with its first federated sign-in"
"""The same with `users.external_provider: defer`; the ledger keeps both until then."""
_UNREAD = (
    "the old pool did not tell its second factors ({why}): scan again; if it stays so, set its MFA preference there "
    "anew (admin-set-user-mfa-preference)"
)
_WITHOUT_MFA = (
    "users.mfa is preferences, and MFA is OFF in the new pool, {pool}, where no second factor can be set: turn it on "
    "(`check` tells how), or set users.mfa to ignore."
)


class Action(StrEnum):
    """What is to be done with a user."""

    CREATE = "create"
    UPDATE = "update"
    SKIP = "skip"
    COLLIDE = "collide"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a user; the name and attributes are those in the target, and only for who is to be there."""

    action: Action
    reason: str | None = None
    username: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    dropped: tuple[str, ...] = ()
    has_reset_channel: bool = False

    def with_factors(self, on: frozenset[str], recovery: Collection[str]) -> Plan:
        """Return the plan of a user with these second factors on, who gets no code to reset by where they get those."""
        taken = {NEEDS[factor] for factor in on}
        return replace(self, has_reset_channel=_has_channel(self.attributes, recovery, taken))

    def unless_unread(self, factors: Factors) -> Plan:
        """Return the plan, or that nobody is created whose second factors are not known: they would lose them."""
        if self.action is not Action.CREATE or factors.unread is None:
            return self
        return Plan(Action.BLOCKED, _UNREAD.format(why=factors.unread))


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for every user: the rules and the pools' settings.

    `offered` are the target's second factors, `recovery` where it sends codes (`Description`); `by_phone` tells whether
    the old pool takes a phone number for a second factor (`userpool.factors.asked_for`).
    """

    rules: Rules
    naming: Naming
    schema: Schema
    marker: str | None
    offered: tuple[str, ...] = SECOND
    recovery: tuple[str, ...] = ("phone_number", "email")
    by_phone: bool = False

    @classmethod
    def of(cls, rules: Rules, source: Description, target: Description) -> Context:
        """Put together what two pools and the rules say. Raises SettingsError where they contradict each other."""
        users = rules.users
        if users.mfa == "preferences" and target.mfa == "OFF":
            raise SettingsError(_WITHOUT_MFA.format(pool=target.pool_id))
        naming = Naming(source.sign_in, target.sign_in, users.username_from, users.allow_unverified)
        return cls(
            rules,
            naming,
            target.schema,
            marker_of(rules, target.schema),
            offered=target.factors,
            recovery=target.recovery,
            by_phone=source.asks_by_phone,
        )

    @property
    def target(self) -> SignIn:
        """What the target lets its users sign in with."""
        return self.naming.target

    def links(self, user: User) -> frozenset[Identity]:
        """Return the identities of other providers that the user is to be linked to."""
        return frozenset() if ATTRIBUTE in self.rules.attributes.drop else linked(user.attributes)

    def preference(self, attributes: Mapping[str, str], factors: Factors) -> Preference | None:
        """Return the second factors that a user with these attributes is to have; None if that is not our business."""
        return to_set(factors, attributes, self.offered) if self.rules.users.mfa == "preferences" else None

    def to_enrol(self, attributes: Mapping[str, str], factors: Factors) -> frozenset[str]:
        """Return what such a user has to enrol anew in the target, as far as it is asked for."""
        return to_enrol(factors, attributes, self.offered) if self.rules.users.mfa == "preferences" else frozenset()

    def wanted(self, user: User, attributes: Mapping[str, str], groups: frozenset[str], factors: Factors) -> Wanted:
        """Return what the target is to have of a user, whose attributes and groups are given as the target's."""
        preference = self.preference(attributes, factors)
        return Wanted(attributes, user.enabled, groups, self.links(user), preference, self.offered)

    def translate(self, user: User) -> Translation:
        """Return what the user's attributes become."""
        return translate(user, self.rules.attributes, self.schema, self.marker)


def marker_of(rules: Rules, schema: Schema) -> str | None:
    """Return the attribute that keeps the old sub, or None if the target has no place for it."""
    name = rules.users.keep_sub_as
    return name if name and schema.get(name) else None


def plan_user(user: User, context: Context, decision: Decision | None = None) -> Plan:
    """Say what becomes of a user as far as the user alone decides; whether it collides is seen among all."""
    if reason := _why_skipped(user, context.rules, decision):
        return Plan(Action.SKIP, reason)
    translation = context.translate(user)
    if translation.problems:
        return Plan(Action.BLOCKED, "; ".join(translation.problems))
    try:
        name = context.naming.username(user, translation.attributes, decision.target_username if decision else None)
    except UserError as error:
        return Plan(Action.BLOCKED, str(error))
    return replace(as_there(name, translation.attributes, context.recovery), dropped=translation.dropped)


def put_off(plan: Plan, why: str = OUTSIDE) -> Plan:
    """Return what becomes of one who is outside the cohort, or is left out for another reason of the day."""
    return plan if plan.action is Action.SKIP and plan.reason != DEFERRED else Plan(Action.SKIP, why)


def as_there(name: str, attributes: Mapping[str, str], recovery: Collection[str]) -> Plan:
    """Return the plan of one who is to be in the target, or is, under this name and with these attributes."""
    reachable = _has_channel(attributes, recovery)
    return Plan(Action.CREATE, username=name, attributes=attributes, has_reset_channel=reachable)


def _has_channel(attributes: Mapping[str, str], recovery: Collection[str], taken: Collection[str] = ()) -> bool:
    return User("", "", attributes).reset_channel(recovery, taken) is not None


def _why_skipped(user: User, rules: Rules, decision: Decision | None) -> str | None:
    if decision and decision.action == "skip":
        return "decided: skip"
    if is_profile(user.status, user.attributes):
        return DEFERRED if rules.users.external_provider == "defer" else FEDERATED
    if user.status is Status.UNCONFIRMED and rules.users.unconfirmed == "skip":
        return NEVER_CONFIRMED
    if user.status in {Status.ARCHIVED, Status.COMPROMISED, Status.UNKNOWN}:
        return f"has a status that cannot be carried over ({user.status})"
    if not user.enabled and rules.users.disabled == "skip":
        return "disabled (users.disabled)"
    return None
