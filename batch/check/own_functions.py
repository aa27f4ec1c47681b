"""Judge the customer's own functions on the new pool that a migration meets. Pure: no function makes a call.

What a function does cannot be read. So each finding says when the function is called, and what it must let pass.

Source: "Customizing user pool workflows with Lambda triggers" of the developer guide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from batch.check.facts import Facts
from batch.check.finding import Finding, Topic

_OWN = Topic("own functions")
_OF_A_SIGN_IN = ("PreAuthentication", "PostAuthentication", "PreTokenGeneration")
_OF_A_MESSAGE = ("CustomMessage", "CustomEmailSender", "CustomSMSSender")
_OF_CAPTURE = ("UserMigration", "DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")


def own(triggers: Mapping[str, str]) -> frozenset[str]:
    """Return the triggers of the new pool whose function is the customer's own, and not this migration's.

    The functions are known by where they are attached: one captures, the other gates tokens and sign-ups. Without a
    function that captures, none is this migration's.
    """
    captures = {triggers[name] for name in _OF_CAPTURE if name in triggers}
    first = triggers.get("PreTokenGeneration", triggers.get("PostAuthentication"))
    gates = {first} & {triggers.get("PostConfirmation"), triggers.get("PreSignUp")} if captures else set()
    return frozenset(name for name, arn in triggers.items() if arn not in captures | gates)


def own_functions(facts: Facts) -> list[Finding]:
    """Return what the customer's own functions must let pass: creations, new passwords, sign-ins and messages."""
    found = [*_met(own(facts.target.description.triggers))]
    return _OWN.or_ok(found, "no function of your own keeps a user of the old pool out.")


def _met(there: frozenset[str]) -> Iterator[Finding]:
    if "PreSignUp" in there:
        yield _OWN.warning(
            "own-pre-sign-up",
            "the new pool's own function on PreSignUp is called for each user that `run` creates, as "
            "PreSignUp_AdminCreateUser: if it refuses, or knows only PreSignUp_SignUp, nobody is created.",
            "Let it return the event as it is for the triggerSource PreSignUp_AdminCreateUser. Try it with "
            "`cognito-migrate run --limit 1`.",
        )
    if "PostConfirmation" in there:
        yield _OWN.warning(
            "own-post-confirmation",
            "the new pool's own function on PostConfirmation is called whenever a user chooses a new password, as "
            "PostConfirmation_ConfirmForgotPassword: if it fails, the user sees an error, and `reset` leads everybody "
            "there.",
            "Let it return the event as it is for the triggerSource PostConfirmation_ConfirmForgotPassword.",
        )
    if names := [name for name in _OF_A_SIGN_IN if name in there]:
        yield _OWN.note(
            "own-functions-at-sign-in",
            f"the new pool's own functions on {', '.join(names)} are called at each sign-in, a first one too: if one "
            "refuses, the user does not get in, and a password that was captured stays captured.",
            "Let them know the users that come from the old pool, and every triggerSource of their trigger.",
        )
    if names := [name for name in _OF_A_MESSAGE if name in there]:
        yield _OWN.note(
            "own-functions-send",
            f"the new pool's own functions on {', '.join(names)} word or send each code for a new password, as "
            "…_ForgotPassword: if one fails, no code goes out, and `reset` stops.",
            "Try forgot-password with one user before `cutover`.",
        )
