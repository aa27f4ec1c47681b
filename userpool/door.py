"""The one door to Cognito: every call to a user pool goes through `Door._call`.

Pacing and retries are handed in as a policy. Foreign errors are translated here, once, and lose personal values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from userpool.answers.redaction import values_carried
from userpool.errors import (
    MigrationError,
    NotFoundError,
    UnansweredError,
    UserError,
    from_botocore_error,
    from_client_error,
)

PAGE = 60
"""How many items a page has at most, in every listing used here."""

_RESTARTS = 5


class Policy(Protocol):
    """How calls are paced and repeated."""

    def __call__(self, operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
        """Carry out the attempt, in its time, as often as allowed; not `repeatable` means never after a doubt."""


def call_once(operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:  # noqa: ARG001 -- a Policy
    """Carry out the attempt at once, a single time."""
    return attempt()


class PageExpiredError(MigrationError):
    """A page token is no longer good (they live an hour): the listing must begin anew."""


class Door:
    """Calls to one user pool: paced, repeated where that is safe, paged."""

    def __init__(self, client: Any, pool_id: str, policy: Policy = call_once) -> None:
        self._client = client
        self.pool_id = pool_id
        self._policy = policy
        self._succeeded: dict[str, object] = {}

    def last_success(self, operation: str) -> object:
        """Return a mark of the operation's last success here: another mark means that it has succeeded since."""
        return self._succeeded.get(operation)

    def paced_by(self, policy: Policy) -> Self:
        """Return the same pool under another policy."""
        return type(self)(self._client, self.pool_id, policy)

    def _pages(
        self,
        operation: str,
        key: str,
        token: str = "NextToken",  # noqa: S107 -- a parameter's name
        size: str = "Limit",
        **params: Any,
    ) -> Iterator[list[Any]]:
        for _ in range(_RESTARTS):
            try:
                yield from self._pages_once(operation, key, token, {size: PAGE, **params})
            except PageExpiredError:
                continue
            return
        raise PageExpiredError(f"{operation} on {self.pool_id}: its page tokens expire sooner than they are used.")

    def _pages_once(self, operation: str, key: str, token: str, params: dict[str, Any]) -> Iterator[list[Any]]:
        position: dict[str, Any] = {}
        while True:
            try:
                answer = self._call(operation, **params, **position)
            except (NotFoundError, UnansweredError):
                raise
            except UserError as error:
                # A listing's other parameters were good for its first page, so it is the token that was refused.
                raise PageExpiredError(str(error)) if position else error from None
            yield answer.get(key, [])
            if not answer.get(token):
                return
            position = {token: answer[token]}

    def _call(
        self,
        operation: str,
        *,
        repeatable: bool = True,
        of_pool: bool = True,
        before: Callable[[], None] | None = None,
        **params: Any,
    ) -> Any:
        method = getattr(self._client, xform_name(operation), None)
        if method is None:
            raise UserError(f"{operation}: this version of boto3 does not know it; boto3 1.44.8 does.")
        if of_pool:
            params["UserPoolId"] = self.pool_id

        def attempt() -> Any:
            if before is not None:
                before()
            # Not chained (`from None`): the foreign text may quote an attribute's value.
            try:
                return method(**params)
            except ClientError as error:
                raise from_client_error(
                    error, operation=operation, pool_id=self.pool_id, secrets=values_carried(params)
                ) from None
            except BotoCoreError as error:
                raise from_botocore_error(error, operation=operation, pool_id=self.pool_id) from None

        answer = self._policy(operation, attempt, repeatable=repeatable)
        # A new object each time, because threads could count the same number twice.
        self._succeeded[operation] = object()
        return answer
