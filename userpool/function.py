"""Who may call a Lambda function: its resource-based policy, and whether it lets a user pool in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from userpool.answers.credentials import why_not_accepted
from userpool.answers.parser import NotAnAnswerError
from userpool.client import is_loopback, lambda_client
from userpool.errors import FatalError, NotAllowedError, code_of, not_aws
from userpool.settings import PoolSettings

_SERVICE = "cognito-idp.amazonaws.com"
_ACTION = "lambda:InvokeFunction"
_MATCHES = {"stringequals", "stringlike", "arnequals", "arnlike", "stringequalsignorecase"}


def resource_policy(arn: str, owner: PoolSettings) -> str | None:
    """Return a function's policy, None if there is none, or no such function.

    Raises FatalError if that cannot be told, NotAllowedError if these credentials may not ask.
    """
    if is_loopback(owner.endpoint_url):
        raise FatalError("A stand-in has no Lambda to ask.")
    region = arn.split(":")[3]
    try:
        return str(lambda_client(owner, region).get_policy(FunctionName=arn)["Policy"])
    except ClientError as error:
        if problem := why_not_accepted(error, f"the function {arn}"):
            raise FatalError(problem) from None
        code = code_of(error)
        if code == "ResourceNotFoundException":
            return None
        kind = NotAllowedError if code == "AccessDeniedException" else FatalError
        raise kind(f"GetPolicy of {arn}: {code}: grant lambda:GetPolicy to see who may call it.") from None
    except NotAnAnswerError:
        raise not_aws(arn, "Lambda") from None
    except BotoCoreError as error:
        raise FatalError(f"GetPolicy of {arn}: {type(error).__name__}: check the network and the region.") from None


def lets_in(policy: str, pool_arn: str) -> bool:
    """Whether a policy lets Cognito call the function for a pool: some statement allows it, and none denies it."""
    effects = {statement.get("Effect") for statement in _about_cognito(policy, pool_arn)}
    return effects == {"Allow"}


def _about_cognito(policy: str, pool_arn: str) -> Iterator[Mapping[str, Any]]:
    for statement in _listed(json.loads(policy).get("Statement")):
        principal = statement.get("Principal")
        services = _listed(principal.get("Service")) if isinstance(principal, Mapping) else [principal]
        actions = [str(action).lower() for action in _listed(statement.get("Action"))]
        named = any(fnmatchcase(_ACTION.lower(), action) for action in actions)
        if named and {_SERVICE, "*"} & {*services} and _holds(statement.get("Condition") or {}, pool_arn):
            yield statement


def _holds(conditions: Mapping[str, Mapping[str, Any]], pool_arn: str) -> bool:
    """Whether conditions are met by a call for the pool; those of another kind are taken not to be."""
    known = {"aws:sourcearn": pool_arn, "aws:sourceaccount": pool_arn.split(":")[4]}
    return all(
        operator.lower() in _MATCHES
        and key.lower() in known
        and any(fnmatchcase(known[key.lower()], str(value)) for value in _listed(values))
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
