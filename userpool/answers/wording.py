"""The sentences of Cognito's that tell what its codes do not.

One code stands for several reasons: NotAuthorizedException for a wrong password, a disabled user, too many attempts and
an app client that does not allow a flow. Only the sentence tells them apart, so these few are recognised here, in what
Cognito wrote and before personal values are taken out. Each is recognised under its code alone.
"""

from __future__ import annotations

from enum import StrEnum, auto


class Said(StrEnum):
    """What a sentence of Cognito's means."""

    LOCKED_OUT = auto()  # too many wrong passwords: the user may not try at the moment
    DISABLED = auto()  # the user is disabled
    APP_CLIENT = auto()  # the app client does not allow the flow, or has another secret
    SECRET_HASH = auto()  # it has another secret, besides
    NOTHING_VERIFIED = auto()  # the user has no verified address or number for a code
    TOO_OFTEN = auto()  # this user asked too often, which is no limit of the account


_NOT_AUTHORIZED, _PARAMETER, _LIMIT = "NotAuthorizedException", "InvalidParameterException", "LimitExceededException"
_SENTENCES: tuple[tuple[Said, frozenset[str], tuple[str, ...]], ...] = (
    (Said.LOCKED_OUT, frozenset({_NOT_AUTHORIZED}), ("attempts exceeded",)),
    (Said.DISABLED, frozenset({_NOT_AUTHORIZED}), ("user is disabled",)),
    (
        Said.APP_CLIENT,
        frozenset({_NOT_AUTHORIZED, _PARAMETER}),
        ("secret_hash", "secret hash", "flow not enabled", "auth flow", "admin_no_srp"),
    ),
    (Said.SECRET_HASH, frozenset({_NOT_AUTHORIZED, _PARAMETER}), ("unable to verify secret hash",)),
    (Said.NOTHING_VERIFIED, frozenset({_PARAMETER}), ("no registered/verified",)),
    (Said.TOO_OFTEN, frozenset({_LIMIT}), ("attempt limit",)),
)


def sentences(code: str, message: str) -> frozenset[Said]:
    """Return what Cognito's message means beyond its code."""
    told = message.lower()
    return frozenset(
        said for said, codes, wordings in _SENTENCES if code in codes and any(words in told for words in wordings)
    )


def is_about_the_pool(message: str, pool_id: str) -> bool:
    """Whether a sentence begins with the pool. One about a provider or group may name the pool it is not in."""
    # One code stands for a pool, a user, a group and a provider that does not exist, and no field says which.
    return message.lower().startswith(f"user pool {pool_id.lower()}")
