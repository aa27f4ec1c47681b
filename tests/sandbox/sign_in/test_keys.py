"""The keys by which pools sign their tokens, as an API has them."""

from __future__ import annotations

import json
from urllib.request import urlopen

import pytest
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError
from signing_in import add_bob, new_client, sign_in

from sandbox.cognito import Cognito
from sandbox.in_process import client
from sandbox.server import Sandbox


@pytest.fixture
def two():
    """Two pools of one account behind a server: for each its published keys, and a token that bob got there."""
    local = Cognito()
    api = client(local)
    with Sandbox(cognito=local) as server:
        found = []
        for name in ("old", "new"):
            pool_id = api.create_user_pool(PoolName=name)["UserPool"]["Id"]
            add_bob(api, pool_id)
            token = sign_in(api, new_client(api, pool_id))["AuthenticationResult"]["IdToken"]
            with urlopen(f"{server.endpoint_url}/{pool_id}/.well-known/jwks.json") as answer:
                found.append((json.load(answer)["keys"], token))
        yield found


def test_a_token_is_good_by_the_keys_of_its_own_pool_alone(two):
    """An API that knows the keys of the other pool finds none by the token's `kid`, and no other that fits."""
    for (keys, token), (others, _) in (two, two[::-1]):
        kid = jws.extract_compact(token.encode()).headers()["kid"]
        assert [key["kid"] for key in keys] == [kid]
        assert jwt.decode(token, jwk.RSAKey.import_key(keys[0])).claims["cognito:username"] == "bob"
        assert kid not in {key["kid"] for key in others}
        with pytest.raises(JoseError):
            jwt.decode(token, jwk.RSAKey.import_key(others[0]))


def test_a_pool_that_is_not_there_has_no_keys():
    """Nothing is published for a pool that does not exist."""
    with Sandbox(cognito=Cognito()) as server, pytest.raises(OSError, match="404"):
        urlopen(f"{server.endpoint_url}/eu-west-1_Nowhere1/.well-known/jwks.json")
