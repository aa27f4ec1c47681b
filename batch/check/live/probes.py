"""The probes about names, aliases and attributes."""

from __future__ import annotations

from collections.abc import Mapping

from batch.check.live.made_up_users import FLAG, PLAN, REQUIRED, Stage
from batch.check.live.probe import ACCEPTED, INVALID, TOKENS, Basis, Probe, answer_to
from batch.check.live.throw_away_pools import LivePool
from userpool.errors import FatalError
from userpool.user import User

TAKEN = "UsernameExistsException"
ALIAS_TAKEN = "AliasExistsException"

_PERSONS = "Before `run`, let a person decide every collision that `cognito-migrate export collisions` lists."
_AS_WRITTEN = "Let the app fold what users type before it signs them in: the new pool does not."
_BY_MAIL = "Take a new pool whose user name is the e-mail address (UsernameAttributes), which only one user can hold."
_MARKER = "Set users.keep_sub_as to a mutable attribute that no app client may write (`check`, topic marker)."
_NO_CLIENT = "Let no app client write users.keep_sub_as (`check`, topic marker): that it is immutable protects nothing."
_KEPT = "kept"


def _created(stage: Stage, username: str, attributes: Mapping[str, str] | None = None) -> str:
    return answer_to(lambda: stage.by_name.create(username, attributes or {}, stage.password))


def _created_by_mail(stage: Stage, address: str) -> str:
    return answer_to(lambda: stage.by_mail.create(address, {REQUIRED: "Made-up"}, stage.password))


def _changed(live: LivePool, user: User, **attributes: str) -> str:
    return answer_to(lambda: live.update_attributes(user.username, attributes))


def _now(live: LivePool, user: User) -> User:
    found = live.find(user.username)
    if found is None:
        raise FatalError(f"{user.username}, who was made, is not there.")
    return found


def _other_case(stage: Stage) -> str:
    username = stage.ada.username.swapcase()
    return answer_to(lambda: stage.by_name.sign_in_with(username, stage.password))


def _by_alias(stage: Stage) -> str:
    address = stage.ada.attributes["email"]
    return answer_to(lambda: stage.by_name.sign_in_with(address, stage.password))


def _same_alias(stage: Stage) -> str:
    return _created(stage, "grace", {"email": stage.ada.attributes["email"], "email_verified": "true"})


def _name_by_mail(stage: Stage) -> str:
    return "the sub" if stage.bob.username == stage.bob.sub else "another name"


def _same_mail(stage: Stage) -> str:
    return _created_by_mail(stage, stage.bob.attributes["email"])


def _same_mail_in_another_case(stage: Stage) -> str:
    return _created_by_mail(stage, stage.bob.attributes["email"].capitalize())


def _same_mail_later(stage: Stage) -> str:
    taken = stage.bob.attributes["email"]
    return answer_to(lambda: stage.by_mail.update_attributes(stage.carol.username, {"email": taken}))


def _new_mail(stage: Stage) -> str:
    stage.by_mail.update_attributes(stage.carol.username, {"email": "carol2@example.com"})
    return "verified" if _now(stage.by_mail, stage.carol).verified("email") else "unverified"


def _without_required(stage: Stage) -> str:
    return answer_to(lambda: stage.by_mail.delete_attributes(stage.bob.username, [REQUIRED]))


def _immutable_at_creation(stage: Stage) -> str:
    return _KEPT if _now(stage.by_name, stage.ada).attributes.get(PLAN) == stage.ada.attributes[PLAN] else "lost"


def _boolean(stage: Stage) -> str:
    answer = _changed(stage.by_name, stage.ada, **{FLAG: "True"})
    return _now(stage.by_name, stage.ada).attributes.get(FLAG, "") if answer == ACCEPTED else answer


NAMES = (
    Probe(
        "case.same-name",
        "Creating ADA beside Ada, in a case-insensitive pool.",
        TAKEN,
        Basis.INFERRED,
        lambda stage: _created(stage, stage.ada.username.upper()),
        otherwise=_PERSONS,
    ),
    Probe(
        "case.sign-in",
        "Signing in as aDA, who is Ada, in a case-insensitive pool.",
        TOKENS,
        Basis.DOCUMENTED,
        _other_case,
        otherwise=_AS_WRITTEN,
    ),
    Probe(
        "alias.sign-in",
        "Signing in with a verified e-mail address, which is an alias.",
        TOKENS,
        Basis.DOCUMENTED,
        _by_alias,
        otherwise=_BY_MAIL,
    ),
    Probe(
        "alias.taken",
        "Creating a user with a verified alias that another one has.",
        ALIAS_TAKEN,
        Basis.REPORTED,
        _same_alias,
        otherwise=_BY_MAIL,
        # Refused all the same, under another code. The migration treats both codes as a collision.
        advice={TAKEN: ""},
    ),
    Probe(
        "alias.as-name",
        "Creating a user named root@localhost, in a pool of e-mail aliases.",
        INVALID,
        Basis.INFERRED,
        lambda stage: _created(stage, "root@localhost"),
    ),
    Probe(
        "mail.name",
        "What a user is called in a pool whose user names are e-mail addresses.",
        "the sub",
        Basis.DOCUMENTED,
        _name_by_mail,
    ),
    Probe(
        "mail.taken",
        "Creating a user with an e-mail address that is another one's user name.",
        TAKEN,
        Basis.DOCUMENTED,
        _same_mail,
        otherwise=_PERSONS,
        # Refused all the same, under another code.
        advice={ALIAS_TAKEN: ""},
    ),
    Probe(
        "mail.case",
        "Creating Bob@example.com beside bob@example.com, in a case-sensitive pool.",
        ACCEPTED,
        Basis.DOCUMENTED,
        _same_mail_in_another_case,
    ),
    Probe(
        "mail.taken-later",
        "Changing an e-mail address to one that is another one's user name.",
        ALIAS_TAKEN,
        Basis.NOWHERE,
        _same_mail_later,
        otherwise="Before each `sync` look at `cognito-migrate export collisions`: a taken address is not refused.",
        # Refused all the same, under another code.
        # Refused all the same, under another code.
        advice={TAKEN: ""},
    ),
    Probe(
        "mail.no-address",
        "Creating a user named bob, in a pool whose user names are e-mail addresses.",
        INVALID,
        Basis.DOCUMENTED,
        lambda stage: _created_by_mail(stage, "bob"),
    ),
    Probe(
        "attribute.unknown",
        "Creating a user with an attribute that the schema does not have.",
        INVALID,
        Basis.DOCUMENTED,
        lambda stage: _created(stage, "heidi", {"custom:unheard-of": "x"}),
    ),
    Probe(
        "attribute.sub",
        "Creating a user with a sub of one's own.",
        INVALID,
        Basis.INFERRED,
        lambda stage: _created(stage, "ivan", {"sub": "3f1c5b1e-6a52-4c43-9a4b-0a7d2f6f5c11"}),
    ),
    Probe(
        "attribute.mail-format",
        "Creating a user with the e-mail address judy@example, whose domain has no dot.",
        INVALID,
        Basis.NOWHERE,
        lambda stage: _created(stage, "judy", {"email": "judy@example"}),
    ),
    Probe(
        "attribute.immutable-kept",
        "A value that AdminCreateUser gave to an immutable attribute, as the old sub is kept.",
        _KEPT,
        Basis.DOCUMENTED,
        _immutable_at_creation,
        otherwise=_MARKER,
    ),
    Probe(
        "attribute.immutable",
        "Changing an immutable attribute.",
        INVALID,
        Basis.DOCUMENTED,
        lambda stage: _changed(stage.by_name, stage.ada, **{PLAN: "pro"}),
        otherwise=_NO_CLIENT,
        # Refused all the same, under another code.
        advice={"NotAuthorizedException": ""},
    ),
    Probe(
        "attribute.boolean",
        "What becomes of True in a boolean attribute.",
        "true",
        Basis.NOWHERE,
        _boolean,
    ),
    Probe(
        "attribute.new-mail",
        "What becomes of email_verified when AdminUpdateUserAttributes gives another e-mail address alone.",
        "unverified",
        Basis.NOWHERE,
        _new_mail,
    ),
    Probe(
        "attribute.required",
        "Deleting a required attribute.",
        INVALID,
        Basis.NOWHERE,
        _without_required,
    ),
)
"""In this order, because an answer may depend on what the probes before it left behind."""
