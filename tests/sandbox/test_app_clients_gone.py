"""What Cognito says of an app client, or a pool, that is not there."""

from __future__ import annotations

import pytest

from sandbox.cognito import Cognito
from sandbox.errors import CognitoError

_CLIENT = "0123456789abcdef0123456789"
_POOL = "us-east-1_Nowhere00"


@pytest.mark.parametrize("operation", ["DescribeUserPoolClient", "UpdateUserPoolClient", "DeleteUserPoolClient"])
def test_an_app_client_that_is_not_there(operation):
    """Each call that names an app client says of a missing one what Cognito does, and of a missing pool as well."""
    cognito = Cognito()
    pool_id = cognito.call("CreateUserPool", {"PoolName": "a"})["UserPool"]["Id"]
    for pool, said in [
        (pool_id, f"User pool client {_CLIENT} does not exist."),
        (_POOL, f"User pool {_POOL} does not"),
    ]:
        with pytest.raises(CognitoError, match=said) as refused:
            cognito.call(operation, {"UserPoolId": pool, "ClientId": _CLIENT})
        assert refused.value.code == "ResourceNotFoundException"
