"""Judge what the two pools are: kinds, case, aliases, schema and marker. Pure: no function makes a call."""

from __future__ import annotations

from collections.abc import Iterator

from batch.check.facts import Facts
from batch.check.finding import Finding, Topic, template
from batch.check.prepare import attribute_command, marker_attribute, missing_attributes
from batch.plan.naming import Naming
from userpool.attributes import Attribute
from userpool.errors import SettingsError
from userpool.identity import WORDS, SignIn

_KINDS, _CASE, _ALIASES, _SCHEMA, _MARKER = map(Topic, ("kinds", "case", "aliases", "schema", "marker"))
_SUB_LENGTH = 36
_PREPARE = "Add it, as `cognito-migrate prepare` does:"
_NEW_POOL = "It cannot be changed on a pool: make the new pool anew, before anything is in it. In its template:"
_IN_USE = (
    "It cannot be changed on a pool, and users are in this one: do not delete it for that. Migrate to another, or "
    "leave it so:"
)


def kinds(facts: Facts) -> Iterator[Finding]:
    """Yield how users sign in to both pools, and an error if a way to sign in is lost."""
    users = facts.config.users
    old, new = facts.source.description, facts.target.description
    try:
        naming = Naming(old.sign_in, new.sign_in, users.username_from, users.allow_unverified)
    except SettingsError as error:
        yield _KINDS.error("username-from-does-not-fit", str(error), "Set users.username_from: auto in config.yaml.")
        return
    said = f"old pool: {old.sign_in}; new pool: {new.sign_in}; user names there: {naming}."
    lost = _lost_means(old.sign_in, new.sign_in)
    if lost:
        yield _KINDS.error(
            "sign-in-attribute-lost",
            f"the new pool lets nobody sign in by {' and '.join(WORDS[name] for name in lost)}, as the old one does.",
            *_anew(facts, "who is brought there signs in by another name.", *_means(old.sign_in, new.sign_in)),
        )
    elif new.sign_in.username_attributes and not old.sign_in.username_attributes:
        yield _KINDS.note("user-names-lost", f"{said} A user name of the old pool is no sign-in name in the new one.")
    else:
        yield _KINDS.ok(said)


def _in_use(facts: Facts) -> bool:
    """Whether the new pool has users. On the way back it always has, and nobody may think of making it anew."""
    return facts.target.description.estimated_users > 0


def _anew(facts: Facts, follows: str, *lines: str) -> tuple[str, str]:
    """Return remedy and template for a new pool that was made wrong. `follows` says what happens if it stays so."""
    return (f"{_IN_USE} {follows}", "") if _in_use(facts) else (_NEW_POOL, template(*lines))


def _lost_means(old: SignIn, new: SignIn) -> list[str]:
    """Return what users may type in the old pool and not in the new one, sorted."""
    # In a pool of UsernameAttributes the user name is made up by Cognito. If the new pool has plain user names, the old
    # address becomes the user name, so users still type it.
    becomes_the_name = set(old.username_attributes) if not new.username_attributes else set()
    means = {*old.username_attributes, *old.alias_attributes} - becomes_the_name
    return sorted(name for name in means if not new.signs_in_with(name))


def _means(old: SignIn, new: SignIn) -> Iterator[str]:
    kind = "UsernameAttributes" if new.username_attributes else "AliasAttributes"
    values = sorted({*old.username_attributes, *old.alias_attributes, *new.username_attributes, *new.alias_attributes})
    yield f"{kind}: [{', '.join(values)}]"


def case(facts: Facts) -> Iterator[Finding]:
    """Yield what happens to users who type their name in another case than it was stored in."""
    old, new = facts.source.description.sign_in, facts.target.description.sign_in
    anew = _anew(
        facts, "names are typed exactly as they stand there.", "UsernameConfiguration:", "  CaseSensitive: false"
    )
    if not new.case_sensitive:
        was = "as in the old one" if not old.case_sensitive else "unlike the old one; `plan` finds who would collide"
        yield _CASE.ok(f"the new pool takes names in any case, {was}.")
    elif old.case_sensitive:
        yield _CASE.warning(
            "new-pool-is-case-sensitive",
            "the new pool is case-sensitive, too: `Bob@x.com` cannot sign in as `bob@x.com`.",
            *anew,
        )
    else:
        yield _CASE.error(
            "case-sensitivity-lost",
            "the old pool takes names in any case and the new one does not: whoever types theirs otherwise is refused.",
            *anew,
        )


def aliases(facts: Facts) -> list[Finding]:
    """Return what the new pool does not verify by itself, and what follows for aliases and changed addresses."""
    return _ALIASES.or_ok(_about_aliases(facts), "the new pool verifies what its users sign in with.")


def _about_aliases(facts: Facts) -> Iterator[Finding]:
    new, verified = facts.target.description.sign_in, set(facts.target.settings.get("AutoVerifiedAttributes") or ())
    # A user whose address is unverified can neither sign in with it as an alias nor get a reset code.
    means = {*new.username_attributes, *new.alias_attributes} & {"email", "phone_number"}
    was_verified = set(facts.source.settings.get("AutoVerifiedAttributes") or ())
    if missing := sorted((means | was_verified) - verified):
        words = " and ".join(WORDS[name] for name in missing)
        yield _ALIASES.warning(
            "not-auto-verified",
            f"the new pool sends no code to a new {words}: who changes it can neither verify it nor reset by it.",
            "In the new pool's template:",
            template(f"AutoVerifiedAttributes: [{', '.join(sorted(verified | set(missing)))}]"),
        )
    updates = facts.target.settings.get("UserAttributeUpdateSettings") or {}
    if held := updates.get("AttributesRequireVerificationBeforeUpdate"):
        yield _ALIASES.note(
            "verified-before-update",
            f"the new pool keeps the old {' and '.join(WORDS.get(name, name) for name in held)} until a new one is "
            "verified. A rerun carries a change over once it is verified in the old pool. No code is sent.",
        )


def schema(facts: Facts) -> list[Finding]:
    """Compare the attributes that are migrated with those of the new pool."""
    return _SCHEMA.or_ok(_about_schema(facts), "every attribute of the old pool has its place in the new one.")


def _about_schema(facts: Facts) -> Iterator[Finding]:
    new, given = facts.target.description.schema, set(facts.config.attributes.set)
    # What `attributes.set` gives everyone a value for is not taken from the old pool, so the old type does not matter.
    crossing = {name: old for name, old in _crossing(facts).items() if name not in given}
    yield from _missing(facts)
    for name, old in crossing.items():
        if there := new.get(name):
            yield from _different(facts, old, there)
    had = {name for name, old in crossing.items() if old.required}
    for name in sorted(new.required - had - given):
        yield _SCHEMA.warning(
            "newly-required",
            f"{name} is required in the new pool and is not in the old one: users without it are created without it.",
            f"Give everybody a value by attributes.set: {{{name}: …}}"
            + ("." if _in_use(facts) else ", or make the new pool without the demand."),
        )


def _crossing(facts: Facts) -> dict[str, Attribute]:
    """Return the old pool's attributes by their names in the new pool, without those that are dropped."""
    rules, keeps = facts.config.attributes, facts.config.users.keep_sub_as
    # The marker is left out because `marker` judges it. Cognito makes each `sub`, so it is never carried over.
    old = sorted(facts.source.description.schema.attributes.items())
    named = {rules.rename.get(name, name): one for name, one in old if name not in {*rules.drop, "sub"}}
    return {name: one for name, one in named.items() if name != keeps}


def _missing(facts: Facts) -> Iterator[Finding]:
    """Yield an error for each attribute that the new pool lacks, with the remedy that `prepare` has for it."""
    rules, old, new = facts.config.rules, facts.source.description.schema, facts.target.description.schema
    for one in missing_attributes(rules, old, new):
        name = one.attribute.name
        if name == rules.users.keep_sub_as:  # which `marker` judges
            continue
        if one.old:
            said, leave = "its values would not cross", f"say that it does not cross: attributes.drop: [{one.old}]"
        else:
            said, leave = "attributes.set gives everybody a value of it", "take it out of attributes.set"
        what = f"the new pool has no {name}: {said}."
        if one.why_not:
            yield _SCHEMA.error("attribute-missing", what, f"It {one.why_not}; or {leave}.")
            continue
        remedy = f"Add it, as `cognito-migrate prepare` does, or {leave}."
        yield _SCHEMA.error("attribute-missing", what, remedy, attribute_command(facts.config.target, one.attribute))


def _different(facts: Facts, old: Attribute, new: Attribute) -> Iterator[Finding]:
    # Cognito can neither change nor remove a custom attribute, so another name is the only way in a pool that is in
    # use.
    rename = "Rename it" if _in_use(facts) else "Make the new pool with it as it was, or rename it"
    leave = f"{rename}: attributes.rename: {{{old.name}: custom:…}}."
    if old.type != new.type:
        yield _SCHEMA.error(
            "attribute-type",
            f"{new.name} is a {new.type} in the new pool and a {old.type} in the old one: values are refused.",
            leave,
        )
        return
    if old.mutable and not new.mutable:
        yield _SCHEMA.warning(
            "attribute-immutable",
            f"{new.name} cannot be changed in the new pool once a user is there: neither by the user nor by a rerun.",
            leave,
        )
    elif new.mutable and not old.mutable and new.name.startswith("custom:"):
        yield _SCHEMA.warning(
            "attribute-mutable",
            f"{new.name} can be changed in the new pool and not in the old one: apps may rely on it.",
            f"Let no app client write it (WriteAttributes). {leave}",
        )
    # The pool is not wrong: only the users whose value does not fit are blocked, and `plan` names them.
    if _narrower(old, new):
        yield _SCHEMA.warning(
            "attribute-bounds",
            f"{new.name} has narrower bounds in the new pool: users whose value does not fit are blocked.",
            "`cognito-migrate plan` counts them, and `cognito-migrate export losses` names them. Correct them in the "
            "old pool, or drop the attribute.",
        )


def _narrower(old: Attribute, new: Attribute) -> bool:
    """Whether the new pool refuses some length or number that the old pool takes."""
    # No bound at all is the widest one: 0 for the least, unlimited for the most.
    least = ((old.shortest, new.shortest), (old.least, new.least))
    most = ((old.longest, new.longest), (old.greatest, new.greatest))
    return any(there is not None and there > (was or 0) for was, there in least) or any(
        there is not None and (was is None or there < was) for was, there in most
    )


def marker(facts: Facts) -> Iterator[Finding]:
    """Judge the marker: the attribute of the new pool that keeps the old sub.

    By the marker a rerun and the trigger recognize the users of this migration.
    """
    name = facts.config.users.keep_sub_as
    if name is None:
        said = "users.keep_sub_as is null: the old sub is not kept, and"
        if facts.captures:
            remedy = "Set users.keep_sub_as: custom:legacy_sub in config.yaml."
            yield _MARKER.error("marker-not-wanted", f"{said} nobody is captured.", remedy)
        else:  # somebody decided so, or it is the way back
            yield _MARKER.note("marker-not-wanted", f"{said} a rerun knows its users less surely.")
        return
    add = attribute_command(facts.config.target, marker_attribute(name))
    there = facts.target.description.schema.get(name)
    # Cognito adds an attribute to an existing pool, but never changes or removes one. So a missing marker has a
    # command, and an unfit one needs another name.
    if there is None:
        # Without a marker the trigger recognizes nobody, while `run` alone still has the facts in its inventory.
        severity = _MARKER.error if facts.captures else _MARKER.warning
        yield severity("marker-missing", f"the new pool has no attribute {name} for the old sub.", _PREPARE, add)
    elif there.type != "String" or (there.longest is not None and there.longest < _SUB_LENGTH):
        yield _MARKER.error(
            "marker-unfit",
            f"{name} of the new pool cannot hold a sub, which is text of {_SUB_LENGTH} characters.",
            "An attribute cannot be changed: name another in users.keep_sub_as, and add that.",
        )
    else:
        yield from _who_writes(facts, name)


def _who_writes(facts: Facts, name: str) -> Iterator[Finding]:
    """Judge which app clients let users write the marker."""
    # A client without WriteAttributes may write the standard attributes only, so it is no danger (API reference).
    writers = sorted(client.name for client in facts.target.clients.value if name in client.writable)
    if writers:
        yield _MARKER.error(
            "marker-writable",
            f"users may write {name} by the app client {', '.join(writers)}, and so become somebody else.",
            f"Take {name} out of its WriteAttributes. In the template, all of the client's own settings kept:",
            template("WriteAttributes: [email, name]   # what the app writes, without the marker"),
        )
    else:
        yield _MARKER.ok(f"{name} is there, and no app client may write it.")
