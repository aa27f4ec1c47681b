"""What happens next after each error code of Cognito's. This table is the one place that says so.

A test holds it against the service model of botocore, so that a code which a newer Cognito brings is noticed. An
unknown code is `REFUSED` until then. The sentences by which one code means several things are in `wording`. What AWS
says of credentials, for every service alike, is in `credentials`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType


class Next(StrEnum):
    """What happens after an answer."""

    TRY_AGAIN = auto()  # over a quota; nothing was carried out
    LOOK_FIRST = auto()  # it may or may not have been carried out
    GRANT = auto()  # these credentials may not: stop
    NOT_THIS_POOL = auto()  # the pool does not do this now: stop
    OTHER_PLAN = auto()  # the pool's plan does not have this: stop
    AFTER_THE_IMPORT = auto()  # an import job keeps the pool's settings as they are: stop
    TAKEN = auto()  # the name or alias is somebody's
    MISSING = auto()  # the user, or what else the call names, is not there
    BY_A_FUNCTION = auto()  # the customer's own function refused; in a row it refuses everybody: stop
    REFUSED = auto()  # record it for this user; in a row it concerns everybody: stop


_CODES: Mapping[Next, tuple[str, ...]] = {
    Next.TRY_AGAIN: ("TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"),
    Next.LOOK_FIRST: ("InternalErrorException", "InternalServerException"),
    Next.GRANT: ("AccessDeniedException", "AccessDenied"),
    # A secondary replica, or a recovery under way, which pauses writes: no page says by which code.
    Next.NOT_THIS_POOL: ("OperationNotEnabledException", "InvalidUserPoolConfigurationException"),
    Next.OTHER_PLAN: ("FeatureUnavailableInTierException", "TierChangeNotAllowedException"),
    Next.AFTER_THE_IMPORT: ("UserImportInProgressException",),
    Next.TAKEN: ("UsernameExistsException", "AliasExistsException", "GroupExistsException"),
    Next.MISSING: ("UserNotFoundException", "ResourceNotFoundException"),
    Next.BY_A_FUNCTION: (
        "UserLambdaValidationException",
        "UnexpectedLambdaException",
        "InvalidLambdaResponseException",
    ),
    Next.REFUSED: (
        "CodeDeliveryFailureException",
        # Two writers of a pool's settings. UpdateUserPool writes all of them, so it is never repeated blindly.
        "ConcurrentModificationException",
        "ForbiddenException",
        "InvalidEmailRoleAccessPolicyException",
        "InvalidOAuthFlowException",
        "InvalidParameterException",
        "InvalidPasswordException",
        "InvalidSmsRoleAccessPolicyException",
        "InvalidSmsRoleTrustRelationshipException",
        "LimitExceededException",
        "MFAMethodNotFoundException",
        # A wrong password at a sign-in. Of calls that AWS signs it may concern everybody.
        "NotAuthorizedException",
        "PasswordHistoryPolicyViolationException",
        "PasswordResetRequiredException",
        "PreconditionNotMetException",
        "ScopeDoesNotExistException",
        "UnsupportedOperationException",
        "UnsupportedUserStateException",
        "UserNotConfirmedException",
        "UserPoolAddOnNotEnabledException",
        "UserPoolTaggingException",
    ),
}

NEXT: Mapping[str, Next] = MappingProxyType({code: then for then, codes in _CODES.items() for code in codes})
"""What happens next, by code."""


def after(code: str, status: int = 0) -> Next:
    """Return what happens next. The status counts where a gateway may have answered: it knows none of these codes."""
    then = NEXT.get(code)
    if then is Next.TRY_AGAIN or status == _TOO_MANY:
        return Next.TRY_AGAIN
    if status >= _SERVER_ERROR:
        return Next.LOOK_FIRST
    return then or Next.REFUSED


_TOO_MANY, _SERVER_ERROR = 429, 500
