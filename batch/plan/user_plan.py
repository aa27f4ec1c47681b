"""Decide what becomes of one user. Values in, values out: this module knows no pool and no file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from batch.inventory.baseline import Baseline, UserRecord
from batch.plan.naming import Naming
from batch.plan.rule_changes import spare
from batch.plan.three_way import Wanted
from batch.settings.decisions import Decision
from userpool.attributes import Schema, Translation, translate
from userpool.description import Description
from userpool.errors import SettingsError, UserError
from userpool.factors import NEEDS, SECOND, Factors, Preference, to_enrol, to_set
from userpool.groups import GroupNames, made_for_providers
from userpool.identities import ATTRIBUTE, Identity, is_profile, linked
from userpool.identity import SignIn
from userpool.settings import Rules, as_carried, carrying
from userpool.user import Status, User

NEVER_CONFIRMED = "never confirmed its sign-up (users.unconfirmed)"
"""The reason for UNCONFIRMED users. The ledger lets exactly these users sign up again."""

OUTSIDE = "outside the cohort (users.only)"
"""The reason for users that are migrated later."""

AFTER_CUTOVER = "after the cut-over: was not among those who were to cross (decide `create` to bring them over)"
"""The reason for users that signed up in the old pool since the cut-over, or that were left out at it."""

FEDERATED = "federated: comes back with its first federated sign-in"
"""The reason for federated profiles."""

DEFERRED = "federated: gets its groups and old sub with its first federated sign-in"
"""The reason for federated profiles with `users.external_provider: defer`. The ledger keeps both until then."""
_UNREAD = (
    "the old pool did not tell its second factors ({why}): scan again; if it stays so, set its MFA preference there "
    "anew (admin-set-user-mfa-preference)"
)
_WITHOUT_MFA = (
    "users.mfa is preferences, and MFA is OFF in the new pool, {pool}, where no second factor can be set: turn it on "
    "(`check` tells how), or set users.mfa to ignore."
)


class Action(StrEnum):
    """What is to be done with a user. Users with `collide` or `blocked` wait until something is corrected."""

    CREATE = "create"
    UPDATE = "update"
    SKIP = "skip"
    COLLIDE = "collide"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a user.

    `username` and `attributes` are those in the new pool. Only a user that is to exist in the new pool has them.
    `spared` names what the user has there and keeps, although changed rules would take it away.
    """

    action: Action
    reason: str | None = None
    username: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    dropped: tuple[str, ...] = ()
    has_reset_channel: bool = False
    spared: tuple[str, ...] = ()

    def with_factors(self, on: frozenset[str], recovery: Collection[str]) -> Plan:
        """Return the plan of a user with these second factors on.

        Cognito sends no reset code to an address that gets the user's MFA codes. So fewer channels may be left.
        """
        taken = {NEEDS[factor] for factor in on}
        return replace(self, has_reset_channel=_has_channel(self.attributes, recovery, taken))

    def unless_unread(self, factors: Factors) -> Plan:
        """Return the plan, or a blocked one if the second factors are not known: the user would lose them."""
        if self.action is not Action.CREATE or factors.unread is None:
            return self
        return Plan(Action.BLOCKED, _UNREAD.format(why=factors.unread))


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for every user: the rules and the pools' settings.

    `schema` and `marker` (the attribute for the old sub) are the new pool's. `offered`: the new pool's second factors.
    `recovery`: the attributes to which the new pool sends reset codes (`Description`). `by_phone`: whether the old pool
    takes a phone number for a second factor (`userpool.factors.asked_for`). `removals`: whether a person has said that
    the run may take away what only changed rules no longer want (`rule_changes`). `of_providers`: the groups of the old
    pool that Cognito made for its identity providers. `old_mfa`: its MfaConfiguration. `captures`: whether passwords
    can be captured, for which there has to be a ledger. `carrying` are the rules as a text.
    """

    rules: Rules
    naming: Naming
    schema: Schema
    marker: str | None
    offered: tuple[str, ...] = SECOND
    recovery: tuple[str, ...] = ("phone_number", "email")
    by_phone: bool = False
    removals: bool = False
    of_providers: frozenset[str] = frozenset()
    old_mfa: str = "OFF"
    captures: bool = False
    carrying: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the text of the rules once: it is compared with that of every baseline."""
        object.__setattr__(self, "carrying", carrying(self.rules))

    @classmethod
    def of(
        cls,
        rules: Rules,
        source: Description,
        target: Description,
        providers: Iterable[str] = (),
        *,
        captures: bool = False,
    ) -> Context:
        """Put together what the rules and both pools say. Raises SettingsError if they contradict each other.

        `providers` are the names of the old pool's identity providers.
        """
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
            of_providers=made_for_providers(source.pool_id, providers),
            old_mfa=source.mfa,
            captures=captures,
        )

    @property
    def groups(self) -> GroupNames:
        """The names of the old pool's groups in the new one."""
        return GroupNames(self.rules.groups, self.of_providers)

    @property
    def mfa_ignored(self) -> str:
        """The old pool's MfaConfiguration if users may have second factors there and no rule carries them, else ""."""
        return "" if self.old_mfa == "OFF" or self.rules.users.mfa == "preferences" else self.old_mfa

    @property
    def target(self) -> SignIn:
        """What users of the new pool sign in with."""
        return self.naming.target

    def links(self, user: User) -> frozenset[Identity]:
        """Return the identities of other providers that the user is to be linked to; none if the rules drop them."""
        return frozenset() if ATTRIBUTE in self.rules.attributes.drop else linked(user.attributes)

    def preference(self, attributes: Mapping[str, str], factors: Factors) -> Preference | None:
        """Return the second factors for a user with these attributes. None: the rules leave them to the new pool."""
        return to_set(factors, attributes, self.offered) if self.rules.users.mfa == "preferences" else None

    def to_enrol(self, attributes: Mapping[str, str], factors: Factors) -> frozenset[str]:
        """Return the second factors that such a user has to enrol again; empty if the rules do not set factors."""
        return to_enrol(factors, attributes, self.offered) if self.rules.users.mfa == "preferences" else frozenset()

    def wanted(self, user: User, attributes: Mapping[str, str], facts: UserRecord) -> Wanted:
        """Return what the new pool is to have of a user. `attributes` are in the new pool's terms.

        What only changed rules would take from the user is wanted all the same (`rule_changes`).
        """
        preference = self.preference(attributes, facts.factors)
        links = self.links(user)
        wanted = Wanted(attributes, user.enabled, facts.groups, links, preference, self.offered, rules=self.carrying)
        return self._spared(user, wanted, facts)

    def only_less(self, user: User, facts: UserRecord) -> Wanted:
        """Return what the new pool is to have of a user who exists there and that the plan would not create.

        Attributes stay as they are, and a disabled user is not enabled. Memberships and links may only end.
        """
        applied = facts.applied or Baseline({})
        enabled = user.enabled and applied.enabled
        wanted = Wanted(applied.attributes, enabled, facts.groups, self.links(user), restricted=True)
        return self._spared(user, wanted, facts)

    def _spared(self, user: User, wanted: Wanted, facts: UserRecord) -> Wanted:
        applied = facts.applied
        if applied is None or (applied.rules in {None, self.carrying} and not applied.spared):
            return wanted
        then = self._as_of(applied.rules or self.carrying)
        groups, attributes = then.groups.target_names(facts.old_groups), then.translate(user).attributes
        factors = None if wanted.restricted else then.preference(attributes, facts.factors)
        by_then = replace(wanted, attributes=attributes, groups=groups, links=then.links(user), factors=factors)
        if wanted.restricted:
            by_then = replace(by_then, attributes=wanted.attributes)
        return spare(applied, facts.granted, wanted, by_then, marker=self.marker, removals=self.removals)

    def _as_of(self, text: str) -> Context:
        return self if text == self.carrying else replace(self, rules=as_carried(text, self.rules))

    def translate(self, user: User) -> Translation:
        """Return the user's attributes in the new pool's terms, and what is dropped or would be refused."""
        return translate(user, self.rules.attributes, self.schema, self.marker)


def marker_of(rules: Rules, schema: Schema) -> str | None:
    """Return the attribute for the old sub, or None if none is configured or the new pool's schema lacks it."""
    name = rules.users.keep_sub_as
    return name if name and schema.get(name) else None


def plan_user(user: User, context: Context, decision: Decision | None = None) -> Plan:
    """Return the plan of one user, as far as the user and the rules alone decide.

    The cohort, the cut-over, changes and collisions follow in `plan/plan.py`.
    """
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
    """Return the plan of a user that is put off: outside the cohort, or for another reason of the day.

    A user that is skipped for good keeps its own reason.
    """
    # A deferred profile is skipped as well, but not for good: it would get its groups at its sign-in. So it is put off.
    return plan if plan.action is Action.SKIP and plan.reason != DEFERRED else Plan(Action.SKIP, why)


def as_there(name: str, attributes: Mapping[str, str], recovery: Collection[str]) -> Plan:
    """Return the plan of a user that is to be in the new pool, or is, under this name and with these attributes."""
    reachable = _has_channel(attributes, recovery)
    return Plan(Action.CREATE, username=name, attributes=attributes, has_reset_channel=reachable)


def _has_channel(attributes: Mapping[str, str], recovery: Collection[str], taken: Collection[str] = ()) -> bool:
    return User("", "", attributes).reset_channel(recovery, taken) is not None


def _why_skipped(user: User, rules: Rules, decision: Decision | None) -> str | None:
    # Decisions come first: no rule outweighs a decision to leave a user out. A decision to create settles a collision
    # only, so the rules below still apply.
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
