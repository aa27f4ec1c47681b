"""What can go wrong, classed by what happens next.

    MigrationError
    ├── SettingsError       a setting or a file is wrong: nothing is started
    ├── FatalError          nobody can be migrated: stop, keep what is done
    │   ├── NotAllowedError      these credentials may not make the call
    │   ├── NotEnabledError      the pool cannot do what is asked at all
    │   ├── NoSuchPoolError      the pool is not there
    │   ├── NoSuchAppClientError the pool has no such app client, or is not there itself
    │   └── ForeignAnswerError   something else answers in the place of AWS
    ├── UserError           this user cannot be migrated: record it and go on
    │   ├── AlreadyExistsError   the name or alias (or group) is already there
    │   ├── NotFoundError        the user (or group) is not there
    │   └── UnansweredError      a call that must not be repeated blindly may or may not have been carried out
    └── PassingError        try again
        ├── ThrottledError       over the quota; not carried out
        ├── UnreachableError     never sent; not carried out
        └── DroppedError         sent, no answer: may or may not have been carried out

Messages never hold attribute values or passwords, only names; that is why foreign errors are not chained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
    TokenRetrievalError,
)

from userpool.answers.credentials import why_not_accepted
from userpool.answers.parser import NotAnAnswerError
from userpool.answers.redaction import redact
from userpool.answers.triggers import LET_THEM_COME, REFUSALS, refused_by_trigger
from userpool.answers.wording import Said, sentences


class MigrationError(Exception):
    """Anything this tool raises on purpose; its text is one sentence a person can act on."""


class SettingsError(MigrationError):
    """A setting or an input file is wrong: nothing was started."""


class FatalError(MigrationError):
    """No user can be migrated: stop the run; what is recorded stays."""


class NotAllowedError(FatalError):
    """The credentials in use may not make a call; the text names it."""


class NotEnabledError(FatalError):
    """The pool cannot do at all what a call asks for."""


class NoSuchPoolError(FatalError):
    """There is no such user pool in the account and region."""


class NoSuchAppClientError(FatalError):
    """The user pool has no such app client; or there is no such pool, which Cognito tells by the same code."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Cognito refused, and why: the same for many users in a row if the cause concerns everybody."""

    operation: str
    code: str
    trigger: str = ""

    @property
    def remedy(self) -> str:
        """What to do if it concerns everybody."""
        if self.trigger == "PreSignUp":
            return LET_THEM_COME
        if self.code in REFUSALS:
            return "Correct the function or detach it, and rerun."
        return "Remove the cause, and rerun."


class ForeignAnswerError(FatalError):
    """Something else answers in the place of AWS. The call may or may not have been carried out."""


class UserError(MigrationError):
    """One user cannot be migrated: record it and go on. `code` is Cognito's name for the reason, where it gave one.

    `refusal` is set for an answer of Cognito's that may as well concern everybody. `said` has the sentences of
    Cognito's that tell what its code does not.
    """

    def __init__(
        self, message: str, code: str = "", *, refusal: Refusal | None = None, said: frozenset[Said] = frozenset()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.refusal = refusal
        self.said = said


class AlreadyExistsError(UserError):
    """The user name or an alias is taken in the pool."""


class NotFoundError(UserError):
    """The user or group that the call names is not in the pool."""


class UnansweredError(UserError):
    """The call may or may not have been carried out; look before it is made again."""


class PassingError(MigrationError):
    """May go well if tried again."""


class ThrottledError(PassingError):
    """The quota category is exhausted; Cognito did not carry the call out."""


class UnreachableError(PassingError):
    """The call was never sent."""


class DroppedError(PassingError):
    """The call was sent and no answer came: it may or may not have been carried out."""


_THROTTLES = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
USER_NOT_FOUND = "UserNotFoundException"
"""The code of a NotFoundError that is about the user, and not about the group or provider that the call names."""

_TAKEN = {"UsernameExistsException", "AliasExistsException", "GroupExistsException"}
_DENIED = {"AccessDeniedException", "AccessDenied"}
# Calls that name a group or an identity provider as well: the pool is not what is missing.
_NAMES_MORE_THAN_A_POOL = frozenset(
    {
        "AdminAddUserToGroup",
        "AdminDisableProviderForUser",
        "AdminLinkProviderForUser",
        "AdminListGroupsForUser",
        "AdminRemoveUserFromGroup",
        "DeleteGroup",
        "ListUsersInGroup",
        "UpdateGroup",
    }
)
_NAMES_AN_APP_CLIENT = frozenset({"AdminInitiateAuth", "DescribeUserPoolClient", "ListUserPoolClientSecrets"})
# A pool that is a secondary replica, or otherwise not able to do this at all.
_NOT_THIS_POOL = {"OperationNotEnabledException", "InvalidUserPoolConfigurationException"}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_HTTP_TOO_MANY = 429
_HTTP_SERVER_ERROR = 500


def from_client_error(error: ClientError, *, operation: str, pool_id: str, secrets: Iterable[str]) -> MigrationError:
    """Class what Cognito answered. `secrets` are the values the call carried; none of them stays in the text."""
    code = code_of(error)
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in REFUSALS:
        trigger, became = refused_by_trigger(operation, code, message)
        said = f"{operation} on {pool_id}: {code}: {became}"
        return UserError(said, code, refusal=Refusal(operation, code, trigger))
    said = f"{operation} on {pool_id}: {code}: {redact(message, secrets)}"
    if code in _THROTTLES or status == _HTTP_TOO_MANY:
        return ThrottledError(said)
    if status >= _HTTP_SERVER_ERROR or code == "InternalErrorException":
        return DroppedError(said)
    if problem := why_not_accepted(error, pool_id):
        return FatalError(problem)
    return _fatal(code, operation, pool_id, said) or _about_the_user(
        code, operation, pool_id, said, sentences(code, message)
    )


def code_of(error: ClientError) -> str:
    """Return the code of an answer, "Unknown" if it has none that could be a code: it may be anybody's text."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "Unknown"


def _fatal(code: str, operation: str, pool_id: str, said: str) -> FatalError | None:
    if code in _DENIED:
        return NotAllowedError(
            f"Not allowed to call {operation} on {pool_id}: grant cognito-idp:{operation} and rerun."
        )
    if code in _NOT_THIS_POOL:
        return NotEnabledError(f"{said} This pool cannot do it; check its region and settings.")
    return None


def _about_the_user(code: str, operation: str, pool_id: str, said: str, meant: frozenset[Said]) -> MigrationError:
    if code == "ResourceNotFoundException" and operation in _NAMES_AN_APP_CLIENT:
        said = "in this account and region: check the app client's id, user_pool_id and region."
        return NoSuchAppClientError(f"There is no such app client of {pool_id} {said}")
    if code == "ResourceNotFoundException" and operation not in _NAMES_MORE_THAN_A_POOL:
        said = "in this account and region: check user_pool_id and region."
        return NoSuchPoolError(f"There is no user pool {pool_id} {said}")
    if code in _TAKEN:
        return AlreadyExistsError(said, code)
    if code in {USER_NOT_FOUND, "ResourceNotFoundException"}:
        return NotFoundError(said, code)
    return UserError(said, code, refusal=Refusal(operation, code), said=meant)


def not_aws(what: str, service: str) -> ForeignAnswerError:
    """Return what is said of an answer that is none of a service's."""
    return ForeignAnswerError(f"What answers for {what} is not {service}: check endpoint_url and proxies.")


def from_botocore_error(  # noqa: PLR0911 -- one for each kind
    error: BotoCoreError, *, operation: str, pool_id: str, service: str = "Cognito"
) -> MigrationError:
    """Class what happened before an answer of the service arrived, or instead of one."""
    said = f"{operation} on {pool_id}: {type(error).__name__}"
    if isinstance(error, NoCredentialsError | PartialCredentialsError | TokenRetrievalError):
        return FatalError(f"No usable AWS credentials for {pool_id}: set the profile, or sign in, and rerun.")
    if isinstance(error, ParamValidationError):
        return UserError(f"{said}: a value is not acceptable (too long, or not text).")
    if isinstance(error, SSLError):
        return FatalError(f"{said}: the connection is not trusted; check proxies and certificates.")
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ProxyConnectionError):
        return UnreachableError(f"{said}: {service} cannot be reached; check region, endpoint_url and the network.")
    if isinstance(error, HTTPClientError):  # read timeout, connection closed: it may have been carried out
        return DroppedError(said)
    if isinstance(error, NotAnAnswerError):
        return not_aws(pool_id, service)
    return FatalError(f"{said}: check the AWS configuration (profile, role_arn, region).")
