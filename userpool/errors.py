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

from userpool.answers.codes import NEXT, Next, after
from userpool.answers.credentials import why_not_accepted
from userpool.answers.parser import NotAnAnswerError
from userpool.answers.redaction import redact
from userpool.answers.triggers import LET_THEM_COME, REFUSALS, refused_by_trigger
from userpool.answers.wording import Said, is_about_the_pool, sentences


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


USER_NOT_FOUND = "UserNotFoundException"
"""The code of a NotFoundError that is about the user, and not about the group or provider that the call names."""

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
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def from_client_error(error: ClientError, *, operation: str, pool_id: str, secrets: Iterable[str]) -> MigrationError:
    """Class what Cognito answered. `secrets` are the values the call carried; none of them stays in the text."""
    code = code_of(error)
    then = after(code, error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = str(error.response.get("Error", {}).get("Message", ""))
    if NEXT.get(code) is Next.BY_A_FUNCTION:
        trigger, became = refused_by_trigger(operation, code, message)
        said = f"{operation} on {pool_id}: {code}: {became}"
        return UserError(said, code, refusal=Refusal(operation, code, trigger))
    said = f"{operation} on {pool_id}: {code}: {redact(message, secrets)}"
    if passing := _passing(then, said):
        return passing
    if problem := why_not_accepted(error, pool_id):
        return FatalError(problem)
    if then is Next.MISSING:
        return _missing(code, operation, pool_id, said, names_pool=is_about_the_pool(message, pool_id))
    return _fatal(then, operation, pool_id, said) or _about_the_user(then, operation, said, code, message)


def code_of(error: ClientError) -> str:
    """Return the code of an answer, "Unknown" if it has none that could be a code: it may be anybody's text."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "Unknown"


def _passing(then: Next, said: str) -> PassingError | None:
    if then is Next.TRY_AGAIN:
        return ThrottledError(said)
    return DroppedError(said) if then is Next.LOOK_FIRST else None


def _about_the_user(then: Next, operation: str, said: str, code: str, message: str) -> UserError:
    if then is Next.TAKEN:
        return AlreadyExistsError(said, code)
    return UserError(said, code, refusal=Refusal(operation, code), said=sentences(code, message))


def _fatal(then: Next, operation: str, pool_id: str, said: str) -> FatalError | None:
    if then is Next.GRANT:
        return NotAllowedError(
            f"Not allowed to call {operation} on {pool_id}: grant cognito-idp:{operation} and rerun."
        )
    if then is Next.NOT_THIS_POOL:
        return NotEnabledError(
            f"{said} This pool cannot do it; check its region and settings, and whether a point-in-time recovery is "
            "under way."
        )
    if then is Next.OTHER_PLAN:
        return NotEnabledError(
            f"{said} The plan of this pool does not have it; choose another plan (UserPoolTier) or do without it."
        )
    if then is Next.AFTER_THE_IMPORT:
        return FatalError(
            f"An import job is under way in {pool_id}, and {operation} has to wait for it. Nothing was changed. Rerun "
            "the command when the job has ended."
        )
    return None


def _missing(code: str, operation: str, pool_id: str, said: str, *, names_pool: bool) -> MigrationError:
    """Return what is missing. `names_pool`: Cognito's sentence names the pool, so it is the pool itself."""
    where = "in this account and region: check"
    if code == USER_NOT_FOUND:
        return NotFoundError(said, code)
    if operation in _NAMES_AN_APP_CLIENT:
        return NoSuchAppClientError(
            f"There is no such app client of {pool_id} {where} the app client's id, user_pool_id and region."
        )
    # Of a pool that is gone, a listing of a group's members is not merely empty.
    if names_pool or operation not in _NAMES_MORE_THAN_A_POOL:
        return NoSuchPoolError(f"There is no user pool {pool_id} {where} user_pool_id and region.")
    return NotFoundError(said, code)


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
