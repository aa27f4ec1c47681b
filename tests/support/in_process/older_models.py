"""API models of Cognito as an older botocore has them: without the operations and members that are new in it.

A client of such a model has no method for the operation, sends no such parameter, and drops the member from an answer.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

RECOVERIES = (
    "InitiatePointInTimeRecovery",
    "StartPointInTimeRecovery",
    "CancelPointInTimeRecovery",
    "DescribePointInTimeRecovery",
    "ListPointInTimeRecoveries",
)
MANAGED_SECRETS = (
    "UserPoolClientType.ClientSecretArn",
    "CreateUserPoolClientRequest.PublishSecretsInAWSSecretsManager",
    "UpdateUserPoolClientRequest.PublishSecretsInAWSSecretsManager",
)
_FOLDER = Path("cognito-idp", "2016-04-18")


def older_models(folder: Path, operations: Iterable[str] = RECOVERIES, members: Iterable[str] = MANAGED_SECRETS) -> str:
    """Write a model without these operations and `Shape.Member`s; return the folder, as AWS_DATA_PATH names it.

    For a client in this process give it to `sandbox.in_process.client` as `models`. Without arguments it is the model
    of before botocore 1.44.6. Raises KeyError for what the present model does not have.
    """
    model = copy.deepcopy(_present())
    for operation in operations:
        del model["operations"][operation]
    for member in members:
        shape, _, name = member.partition(".")
        del model["shapes"][shape]["members"][name]
    place = folder / _FOLDER
    place.mkdir(parents=True)
    (place / "service-2.json").write_text(json.dumps(model), encoding="utf-8")
    return str(folder)


@cache
def _present() -> Any:
    return Loader().load_service_model("cognito-idp", "service-2")
