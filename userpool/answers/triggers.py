"""The functions of a customer's own that Cognito calls: their triggers, and which operation calls which.

Sources: "Customizing user pool workflows with Lambda triggers" of the developer guide, and the errors of each operation
in the API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "UserLambdaValidationException": "refused the call",
        "UnexpectedLambdaException": "failed, or could not be called",
        "InvalidLambdaResponseException": "gave an answer that Cognito does not accept",
    }
)
"""The error codes that a function is the cause of, and what became of it."""

LET_THEM_COME = (
    "Let the function return the event as it is if its triggerSource is PreSignUp_AdminCreateUser, or detach it until "
    "the migration is over, and rerun."
)
"""How a function on PreSignUp lets users pass that a migration creates."""

CALLED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AdminCreateUser": ("PreSignUp",),  # with MessageAction SUPPRESS no message is made
        "AdminResetUserPassword": ("CustomMessage", "CustomEmailSender", "CustomSMSSender"),
        "AdminUpdateUserAttributes": ("CustomMessage", "CustomEmailSender", "CustomSMSSender"),
        "AdminInitiateAuth": (
            "PreAuthentication",
            "PostAuthentication",
            "PreTokenGeneration",
            "UserMigration",
            "DefineAuthChallenge",
            "CreateAuthChallenge",
            "VerifyAuthChallengeResponse",
        ),
    }
)
"""The triggers of a pool that an operation of ours may call."""

_NAMES = frozenset(name for names in CALLED_BY.values() for name in names) | {"PostConfirmation"}


def trigger_of(operation: str, message: str) -> str:
    """Return the trigger that refused a call, or "" if it is not known.

    No member of the answer has the trigger's name. Cognito's sentence begins with it ("PreSignUp failed with error …"),
    and only the names that exist count.
    """
    first = message.replace("[", " ").partition(" failed")[0].split()
    if first and (named := first[0].strip("[]:,.'\"")) in _NAMES:
        return named
    called = CALLED_BY.get(operation, ())
    return called[0] if len(called) == 1 else ""


def refused_by_trigger(operation: str, code: str, message: str) -> tuple[str, str]:
    """Return the trigger, and what became of the call in words. Nothing of the function's own text is in them.

    A function may put anything into its error, such as the attributes that it was given.
    """
    trigger = trigger_of(operation, message)
    who = f"the pool's own function on {trigger}" if trigger else "a function of the pool's own"
    return trigger, f"{who} {REFUSALS[code]} (its text of {len(message)} characters is not shown)."
