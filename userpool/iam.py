"""What IAM says that a caller may do (SimulatePrincipalPolicy), where it may be asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from userpool.answers.credentials import why_not_accepted
from userpool.answers.parser import NotAnAnswerError
from userpool.client import caller_arn, iam_client
from userpool.errors import FatalError, NotAllowedError, code_of, not_aws
from userpool.settings import PoolSettings

_ASSUMED = re.compile(r"arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+")


def allowed_by_policies(owner: PoolSettings, actions: Iterable[str], arn: str) -> dict[str, bool]:
    """Say which of the actions a pool's caller may do on an ARN, by its policies.

    Raises NotAllowedError if it may not ask that, FatalError if that cannot be told.
    """
    try:
        client = iam_client(owner)
        caller = _policy_source(client, caller_arn(owner))
        wanted = {"PolicySourceArn": caller, "ActionNames": sorted(actions), "ResourceArns": [arn]}
        pages = client.get_paginator("simulate_principal_policy").paginate(**wanted)
        results = [result for page in pages for result in page["EvaluationResults"]]
    except ClientError as error:
        if problem := why_not_accepted(error, "SimulatePrincipalPolicy"):
            raise FatalError(problem) from None
        code = code_of(error)
        kind = NotAllowedError if code in {"AccessDenied", "AccessDeniedException"} else FatalError
        raise kind(f"SimulatePrincipalPolicy: {code}: grant iam:SimulatePrincipalPolicy to ask IAM.") from None
    except NotAnAnswerError:
        raise not_aws("SimulatePrincipalPolicy", "IAM") from None
    except BotoCoreError as error:
        raise FatalError(f"SimulatePrincipalPolicy: {type(error).__name__}: check the network.") from None
    return {result["EvalActionName"]: result["EvalDecision"] == "allowed" for result in results}


def _policy_source(client: Any, caller: str | None) -> str:
    """Return the ARN whose policies decide: of who has assumed a role, the role's, whose path only IAM knows."""
    if caller is None:
        raise FatalError("It is not known as whom the calls are made: check the credentials.")
    assumed = _ASSUMED.fullmatch(caller)
    return str(client.get_role(RoleName=assumed["role"])["Role"]["Arn"]) if assumed else caller
