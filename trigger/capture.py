"""CUSTOM_AUTH: the password comes as the answer of a challenge, is proved in the old pool and set in the new one.

No token is ever issued here, whatever happens: DefineAuthChallenge never says so. Whoever has answered rightly signs in
anew, with the new pool's own rules. A client learns what to do next only after a proof: that the password was captured,
that it has to be reset, or that the new pool did not take it at this moment (writes are paused, say).
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from itertools import pairwise
from typing import Any

from trigger.outcome import Outcome, RefusalError, fault
from trigger.parts import STATUS, Work
from trigger.proof import old_user, prove, why_reset
from userpool.errors import ForeignAnswerError, MigrationError, NotFoundError, UserError
from userpool.passwords import has_settable_form, random_password
from userpool.person import Person, PersonState
from userpool.user import Status

_CUSTOM = "CUSTOM_CHALLENGE"
_LATER = "LATER"  # the metadata of a challenge that asks again, after a proof that changed nothing
_ANSWERS = 3  # wrong ones, to a session; Cognito's own lockout has no part in custom challenges
_LEASE_SECONDS = 20.0  # longer than Cognito waits for all its tries of one event
_WRITE_SECONDS = 1.5  # for the password and the write that says so
_TRIES = 3
_PAUSE = 0.3  # seconds between them
_LONGEST_MINIMUM = 99  # that a pool's password policy can ask for (PasswordPolicyType)
_RIGHT_BUT_NOT_NOW = (
    "The password was right, and the app was told what to do. If this goes on, see whether a point-in-time recovery of "
    "the new pool is under way: it pauses writes."
)
_TOO_WEAK = {"InvalidPasswordException", "PasswordHistoryPolicyViolationException"}


def define(work: Work) -> Outcome:
    """Ask for the password until three answers were wrong; after a right one tell what came of it; then end."""
    rounds = _rounds(work)
    results = [bool(one.get("challengeResult")) for one in rounds]
    over = (
        any(one.get("challengeName") != _CUSTOM for one in rounds)  # SRP_A and what follows it
        or _answered_an_outcome(rounds)
        or results.count(False) >= _ANSWERS
    )
    work.response["issueTokens"] = False
    work.response["failAuthentication"] = over
    if not over:
        work.response["challengeName"] = _CUSTOM
    return Outcome("ended" if over else "asked")


def _answered_an_outcome(rounds: list[dict[str, Any]]) -> bool:
    """Whether a right answer was followed by another one. After `try-later` alone the password may be sent again.

    The event need not tell the metadata. Then the session ends, and the app begins another.
    """
    return any(
        one.get("challengeResult") and following.get("challengeMetadata") != _LATER
        for one, following in pairwise(rounds)
    )


def create(work: Work) -> Outcome:
    """Make the challenge: the password, or, after a right answer, the outcome for the client to read."""
    rounds = _rounds(work)
    if not (rounds and rounds[-1].get("challengeResult")):
        return _ask(work, {"ask": "password"}, "password")
    marker = work.user.get(work.terms.marker)
    outcome = _outcome(work.ledger.person(marker) if marker else None)
    if outcome == "try-later":
        return _ask(work, {"outcome": outcome, "ask": "password"}, "password", _LATER)
    return _ask(work, {"outcome": outcome}, "nothing")


def _outcome(person: Person | None) -> str:
    """Say what came of a right answer, by the ledger: Cognito lets VerifyAuthChallengeResponse tell nothing else."""
    if person is None:
        return "reset-needed"
    if person.state is PersonState.CAPTURED:
        return "captured"
    # In the middle of a capture: whether it has set the password is not known before the next sign-in.
    put_off = person.state is PersonState.CAPTURING or (person.state is PersonState.PENDING and person.postponed)
    return "try-later" if put_off else "reset-needed"


def _rounds(work: Work) -> list[dict[str, Any]]:
    """Return the challenges of the session so far; one of which nothing is told is none of ours."""
    return [one or {} for one in work.request.get("session") or []]


def _ask(work: Work, public: dict[str, str], asked: str, metadata: str = "") -> Outcome:
    work.response["publicChallengeParameters"] = public
    work.response["privateChallengeParameters"] = {"asked": asked}
    work.response["challengeMetadata"] = metadata or asked.upper()
    return Outcome("asked")


def verify(work: Work) -> Outcome:
    """Capture the password given as the answer. Raises RefusalError for anything that proves nothing."""
    work.response["answerCorrect"] = False
    if (work.request.get("privateChallengeParameters") or {}).get("asked") != "password":
        raise RefusalError("nothing-was-asked")
    person, token = _begin(work)
    try:
        proof = prove(work, person, work.request.get("challengeAnswer"))
        reason = why_reset(work, proof, old_user(work, person)) or _set(work, person, token)
    except _PostponedError as postponed:
        return _postponed(work, person, token, postponed)
    except BaseException:
        _give_up(work, person, token)
        raise
    work.response["answerCorrect"] = True
    if reason:
        _give_up(work, person, token)
        return Outcome("reset-needed", reason, person.sub)
    return Outcome("captured", sub=person.sub)


def _postponed(work: Work, person: Person, token: str, postponed: _PostponedError) -> Outcome:
    """Let the client be told to try later: the password is right, and nobody's answer was wrong."""
    if not postponed.in_doubt:
        _give_up(work, person, token, postponed=work.now())
    work.response["answerCorrect"] = True
    return fault(postponed.error, person.sub, _RIGHT_BUT_NOT_NOW)


def _give_up(work: Work, person: Person, token: str, *, postponed: float = 0) -> None:
    with suppress(MigrationError):  # then the lease runs out instead
        turn = work.ledger.give_up_capture(person.sub, token, postponed=postponed)
        if turn.state is PersonState.RESET:
            work.ledger.end_capture(person.sub, token)


class _PostponedError(Exception):
    """A proved password was not set. In doubt, it may have been: then the lease is left to run out."""

    def __init__(self, error: MigrationError, *, in_doubt: bool) -> None:
        super().__init__()
        self.error = error
        self.in_doubt = in_doubt


def claimant(work: Work) -> tuple[str, str]:
    """Return the marker and the sub of the new pool's user. Raises RefusalError for whom nothing is captured."""
    if work.terms.finished:
        raise RefusalError("migration-is-finished")
    user = {} if work.request.get("userNotFound") else work.user
    marker, new_sub = user.get(work.terms.marker), user.get("sub")
    if not marker or not new_sub:
        raise RefusalError("nobody-of-this-migration")
    if user.get(STATUS) != Status.CONFIRMED:
        raise RefusalError("new-user-is-not-confirmed", marker)
    return marker, new_sub


def _begin(work: Work) -> tuple[Person, str]:
    """Take the person for as long as a capture lasts. Raises RefusalError unless they are pending."""
    marker, new_sub = claimant(work)
    token, now = uuid.uuid4().hex, work.now()
    turn = work.ledger.begin_capture(marker, new_sub, token, now=now, until=now + _LEASE_SECONDS)
    if turn.before is None:
        raise RefusalError("unknown-person", marker)
    if not turn.done:
        others = turn.before.new_sub != new_sub
        raise RefusalError("another-persons-marker" if others else f"person-is-{turn.state}", marker)
    return turn.before, token


def require_as_recorded(work: Work, person: Person) -> None:
    """Raise RefusalError unless the new pool's user is, at this moment, the one that the ledger knows."""
    found = work.target.find(work.username)
    if (
        found is None
        or not found.enabled
        or found.status is not Status.CONFIRMED
        or found.sub != person.new_sub
        or found.attributes.get(work.terms.marker) != person.sub
    ):
        raise RefusalError("new-user-is-not-as-recorded", person.sub)


def _set(work: Work, person: Person, token: str) -> str:
    """Make the proved password the new pool's; return why it never can be, or nothing.

    Raises _PostponedError if it cannot be at this moment, or if that is not known.
    """
    password = work.request["challengeAnswer"]
    try:
        require_as_recorded(work, person)
        work.target.set_password(work.username, password, before=lambda: work.deadline.require(_WRITE_SECONDS))
    except NotFoundError:
        raise  # deleted since they were looked at
    except MigrationError as error:
        if isinstance(error, UserError) and _is_too_weak(error.code, password):
            return "too-weak-for-the-new-pool"
        in_doubt = _may_be_done(error)
        if in_doubt:
            _take_back_if_reset(work, person, token)
        raise _PostponedError(error, in_doubt=in_doubt) from None
    _record(work, person, token)
    return ""


def _may_be_done(error: MigrationError) -> bool:
    """Whether the request may have been carried out: without a code of Cognito's nobody knows."""
    return isinstance(error, ForeignAnswerError) or (isinstance(error, UserError) and not error.code)


def _is_too_weak(code: str, password: str) -> bool:
    """Whether a refusal is about the very password. What has not the form of one is no valid parameter."""
    return code in _TOO_WEAK or (code == "InvalidParameterException" and not has_settable_form(password))


def _take_back_if_reset(work: Work, person: Person, token: str) -> None:
    with suppress(MigrationError):  # then the record of this capture stays, and no token is given
        now = work.ledger.person(person.sub)
        if now and now.state is PersonState.RESET:
            _put_random_password_back(work, person, token)


def _record(work: Work, person: Person, token: str) -> None:
    """Record the capture. Raises RefusalError if a reset, or another capture, came before it."""
    try:
        turn = work.ledger.captured(person.sub, token, work.now())
    except MigrationError as error:
        raise _PostponedError(error, in_doubt=True) from None
    if turn.done:
        return
    if turn.state is PersonState.RESET:
        _put_random_password_back(work, person, token)
    raise RefusalError(f"person-is-{turn.state}", person.sub)


def _put_random_password_back(work: Work, person: Person, token: str) -> None:
    """Undo a capture that met `reset`: the user chose a password, and the old one came after it; neither may stand.

    However little time is left: an answer too late is better than an old password that stays.
    """
    for _ in range(_TRIES):
        try:
            work.parts.target.set_password(work.username, random_password({"MinimumLength": _LONGEST_MINIMUM}))
        except MigrationError:  # writes may be paused by now; the record of this capture stays then
            work.parts.sleep(_PAUSE)  # then again: one random password is as good as another
        else:
            work.ledger.end_capture(person.sub, token)
            return
    said = "A user who had just chosen a password may have the old one: no token is given until they reset it again."
    raise _PostponedError(UserError(said), in_doubt=True)
