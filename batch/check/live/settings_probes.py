"""The probes about listings, groups and the settings of a pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from batch.check.live.made_up_users import Stage
from batch.check.live.probe import ACCEPTED, INVALID, Basis, Probe, answer_to
from batch.check.live.throw_away_pools import LivePool
from batch.pools.managed_pool import UnknownSettingError, differing
from userpool.door import PAGE
from userpool.errors import FatalError, NotAllowedError
from userpool.user import Group

FILTERED, IGNORED, INCOMPLETE = "filtered", "ignored", "incomplete"
_DIGITS = "0123456789abcdef"
_LISTED_AGAIN = 4  # a listing is eventually consistent (API reference, ListUsers)
_SECONDS = 3.0
_SMALL_PAGE = 2
_GROUP = Group("made-up", description="made up", precedence=0)
_KEPT, _CLEARED = "kept", "cleared"
_SEQUENTIAL = "Set `listing: sequential`."
_INVITATION = "AdminCreateUserConfig"


def judged(found: Mapping[str, frozenset[str]], known: frozenset[str]) -> str:
    """Return whether listings by the first digit of the sub held all users that they should, and no others.

    `found` has the subs that were listed, by the digit of the filter. It must have the first digit of each `known` sub.
    """
    if any(not sub.startswith(digit) for digit, subs in found.items() for sub in subs):
        return IGNORED
    return FILTERED if all(sub in found[sub[:1]] for sub in known) else INCOMPLETE


def _by_prefix(stage: Stage) -> str:
    known = frozenset(user.sub for user in (stage.ada, stage.newcomer, stage.settled))
    used = {sub[:1] for sub in known}
    # One digit that no known user has: a filter that is ignored lists the known users under it, too.
    digits = [*sorted(used), next(digit for digit in _DIGITS if digit not in used)]
    # The users are new, and ListUsers may be seconds late. Only what is still missing in the end is incomplete.
    for _ in range(_LISTED_AGAIN):
        answer = answer_to(lambda: judged({digit: _with_digit(stage.by_name, digit) for digit in digits}, known))
        if answer != INCOMPLETE:
            return answer
        stage.pause(_SECONDS)
    return INCOMPLETE


def _with_digit(by_name: LivePool, digit: str) -> frozenset[str]:
    return frozenset(user.sub for page in by_name.users(sub_prefix=digit) for user in page)


def _sizes(by_name: LivePool) -> Iterator[int]:
    answer = by_name.listed(Limit=_SMALL_PAGE)
    yield len(answer["Users"])
    while token := answer.get("PaginationToken"):
        answer = by_name.listed(Limit=_SMALL_PAGE, PaginationToken=token)
        yield len(answer["Users"])


def of_pages(sizes: Sequence[int], limit: int) -> str:
    """Return whether every page except the last had `limit` users. The last one may be short for want of users."""
    return "full pages" if all(size == limit for size in sizes[:-1]) else "shorter pages"


def _found_in_another_case(stage: Stage) -> str:
    address = stage.ada.attributes["email"]
    for _ in range(_LISTED_AGAIN):
        # The same lateness of ListUsers: not found at first need not mean that case counts.
        if stage.by_name.listed(Filter=f'email = "{address.upper()}"')["Users"]:
            return "found"
        stage.pause(_SECONDS)
    return "not found"


def _attribute_that_some_lack(stage: Stage) -> str:
    # `newcomer` is named only to be made: the question is about a pool in which some user lacks the attribute.
    return answer_to(lambda: bool(stage.newcomer and stage.by_name.listed(AttributesToGet=["email"])))


def _group(by_name: LivePool) -> Group:
    return next(group for page in by_name.groups() for group in page if group.name == _GROUP.name)


def _precedence(stage: Stage) -> str:
    # `create_group` leaves a group alone that exists, so each of the group probes works without the others.
    stage.by_name.create_group(_GROUP)
    return _KEPT if _group(stage.by_name).precedence == _GROUP.precedence else "lost"


def _description(stage: Stage) -> str:
    stage.by_name.create_group(_GROUP)
    stage.by_name.set_precedence(_GROUP.name, 5)
    return _KEPT if _group(stage.by_name).description == _GROUP.description else _CLEARED


def _joined_twice(stage: Stage) -> str:
    stage.by_name.create_group(_GROUP)
    for _ in range(2):
        stage.by_name.add_to_group(stage.settled.username, _GROUP.name)
    names = [name for page in stage.by_name.groups_of(stage.settled.username) for name in page]
    return "listed once" if names == [_GROUP.name] else f"listed {len(names)} times"


def _changed_besides(stage: Stage) -> str:
    live, changes = stage.by_mail, {_INVITATION: {"AllowAdminCreateUserOnly": True}}
    before = live.settings()
    try:
        # `change` raises FatalError if another setting has changed, too. That is the very question, so it counts as
        # accepted, and the settings are compared below. NotAllowedError is a FatalError, but no answer, and neither
        # is UnknownSettingError.
        answer = answer_to(lambda: live.change(**changes))
    except (NotAllowedError, UnknownSettingError):
        raise
    except FatalError:  # something else has changed
        answer = ACCEPTED
    if answer != ACCEPTED:
        return answer
    return ", ".join(sorted(differing(before, live.settings()) - changes.keys())) or "nothing"


def _mfa_not_passed(stage: Stage) -> str:
    # MFA must be OPTIONAL first. Otherwise OFF would be the answer whatever UpdateUserPool does.
    stage.by_mail.allow_totp()
    stage.by_mail.update_with_little()
    return stage.by_mail.mfa()


SETTINGS = (
    Probe(
        "listing.sub-prefix",
        'ListUsers with the filter sub ^= "a": one of sixteen shards.',
        FILTERED,
        Basis.INFERRED,
        _by_prefix,
        otherwise=_SEQUENTIAL,
    ),
    Probe(
        "listing.pages",
        f"Pages of ListUsers with Limit {_SMALL_PAGE}.",
        "full pages",
        Basis.NOWHERE,
        lambda stage: of_pages([*_sizes(stage.by_name)], _SMALL_PAGE),
    ),
    Probe(
        "listing.limit",
        f"ListUsers with Limit {PAGE + 1}.",
        INVALID,
        Basis.DOCUMENTED,
        lambda stage: answer_to(lambda: stage.by_name.listed(Limit=PAGE + 1)),
    ),
    Probe(
        "listing.token",
        "ListUsers with a token that no page gave.",
        INVALID,
        Basis.REPORTED,
        lambda stage: answer_to(lambda: stage.by_name.listed(PaginationToken="made-up")),
    ),
    Probe(
        "listing.case",
        "ListUsers with a filter by an e-mail address in another case.",
        "found",
        Basis.INFERRED,
        _found_in_another_case,
    ),
    Probe(
        "listing.attributes",
        "ListUsers with AttributesToGet, of one that some users lack.",
        INVALID,
        Basis.DOCUMENTED,
        _attribute_that_some_lack,
    ),
    Probe(
        "group.precedence",
        "A group's precedence of 0.",
        _KEPT,
        Basis.DOCUMENTED,
        _precedence,
        otherwise="Let the old groups of precedence 0 begin at 1, or set theirs by hand.",
    ),
    Probe(
        "group.update",
        "A group's description after UpdateGroup, which was passed a precedence alone.",
        _KEPT,
        Basis.NOWHERE,
        _description,
    ),
    Probe(
        "group.twice",
        "A membership that was given twice.",
        "listed once",
        Basis.REPORTED,
        _joined_twice,
    ),
    Probe(
        "group.missing",
        "AdminAddUserToGroup of a group that is not there.",
        "ResourceNotFoundException",
        Basis.DOCUMENTED,
        lambda stage: answer_to(lambda: stage.by_name.add_to_group(stage.settled.username, "not-there")),
    ),
    Probe(
        "pool.kept",
        "What else UpdateUserPool changes when it is passed all that DescribeUserPool tells, and one change.",
        "nothing",
        Basis.DOCUMENTED,
        _changed_besides,
        otherwise="Attach the trigger by your template, and not by `cognito-migrate trigger attach`.",
    ),
    Probe(
        "pool.reset",
        "MFA after UpdateUserPool without MfaConfiguration, where it was OPTIONAL.",
        "OFF",
        Basis.INFERRED,
        _mfa_not_passed,
    ),
)
"""In this order, because an answer may depend on what the probes before it left behind."""
