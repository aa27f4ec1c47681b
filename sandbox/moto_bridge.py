"""The one door to moto, which keeps user pools, app clients, groups' definitions and identity providers.

Users, memberships, sign-in and tokens are the sandbox's own (`directory`, `auth`, …): there moto differs from Cognito
in too many ways to patch. What is patched here is listed in `_PATCHES`, each with its reason; a test fails when moto
no longer needs it.
"""

from __future__ import annotations

import io
import itertools
import json
from functools import cache
from types import SimpleNamespace
from typing import Any

from moto.cognitoidp import models as cognito
from moto.cognitoidp.exceptions import InvalidParameterException
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.core.base_backend import AccountSpecificBackend
from moto.core.request import Request
from moto.core.utils import utcnow
from werkzeug.exceptions import HTTPException

from sandbox import quick_answers  # noqa: F401 -- to be fast
from sandbox.errors import CognitoError, not_there
from userpool.client import stand_in_session

_ACCOUNTS = itertools.count(100_000_000_001)
_UNCHANGEABLE = ("UsernameAttributes", "AliasAttributes", "UsernameConfiguration")
_KEPT_ELSEWHERE = ("UserPoolId", "PoolName", "MfaConfiguration")


class Moto:
    """moto's Cognito in an account of its own, so that sandboxes of one process share nothing."""

    def __init__(self, account: str | None = None) -> None:
        self.account = account or str(next(_ACCOUNTS))

    def call(self, operation: str, parameters: dict[str, Any], region: str) -> dict[str, Any]:
        """Carry out an operation; raises CognitoError as moto answers, and InternalErrorException if it breaks."""
        # Not by moto's web application, which takes longer than most of the operations themselves.
        request = Request(self._environ(operation, json.dumps(parameters).encode(), region))
        try:
            status, _, answer = CognitoIdpResponse.dispatch(request)
        except HTTPException as refusal:
            status, answer = refusal.code, refusal.get_body()
        except Exception as error:
            raise CognitoError("InternalErrorException", "moto failed", 500) from error
        text = answer.decode() if isinstance(answer, bytes) else answer
        document: dict[str, Any] = json.loads(text or "{}") if text[:1] in {"", "{"} else {}
        if int(status) >= 400:  # noqa: PLR2004 -- HTTP
            code = document.get("__type", "InternalErrorException")
            raise CognitoError(code, document.get("message", "moto failed"), int(status))
        return document

    def pools(self) -> dict[str, Any]:
        """Return moto's user pools of every region, by id."""
        backends = cognito.cognitoidp_backends[self.account]
        return {pool_id: pool for region in list(backends) for pool_id, pool in backends[region].user_pools.items()}

    def pool(self, pool_id: str) -> Any:
        """Return moto's user pool. Raises ResourceNotFoundException."""
        region = pool_id.partition("_")[0]
        backends = cognito.cognitoidp_backends[self.account]
        pool = backends[region].user_pools.get(pool_id) if region in backends.regions else None
        if pool is None:
            raise not_there(f"User pool {pool_id} does not exist.")
        return pool

    def _environ(self, operation: str, body: bytes, region: str) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": f"cognito-idp.{region}.amazonaws.com",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": f"cognito-idp.{region}.amazonaws.com",
            "HTTP_X_AMZ_TARGET": f"AWSCognitoIdentityProviderService.{operation}",
            "HTTP_X_MOTO_ACCOUNT_ID": self.account,
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=sandbox/20260101/{region}/cognito-idp/aws4_request",
            "CONTENT_TYPE": "application/x-amz-json-1.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "https",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }


_UserPool: Any = cognito.CognitoIdpUserPool
_Attribute: Any = cognito.CognitoIdpUserPoolAttribute


def _init(pool: Any, account_id: str, region: str, name: str, extended_config: dict[str, Any]) -> None:
    """Patch CreateUserPool.

    With a schema of its own a moto pool has lost the standard attributes, and those that the schema names without a
    type have lost their bounds; in Cognito they keep them. And moto lets a pool have both kinds of sign-in attributes.
    """
    if extended_config.get("UsernameAttributes") and extended_config.get("AliasAttributes"):
        raise InvalidParameterException(
            "Only one of the aliasAttributes or usernameAttributes can be set in a user pool."
        )
    ORIGINALS["__init__"](pool, account_id, region, name, extended_config)
    given = pool.schema_attributes
    standard = {name: given.get(name) or _standard(name) for name in _Attribute.STANDARD_SCHEMA}
    pool.schema_attributes = standard | given
    for attribute in standard.values():
        _bound(attribute)


def _bound(attribute: Any) -> None:
    if attribute.string_constraints is None and attribute.number_constraints is None:
        standard = _standard(attribute.name)
        attribute.string_constraints, attribute.number_constraints = (
            standard.string_constraints,
            standard.number_constraints,
        )


def _standard(name: str) -> Any:
    return _Attribute(name, False, _Attribute.STANDARD_SCHEMA[name])  # noqa: FBT003 -- moto's


def _update_extended_config(pool: Any, extended_config: dict[str, Any]) -> None:
    """Patch UpdateUserPool, and what CreateUserPool shares with it.

    moto also resets what Cognito never lets change, leaves MfaConfiguration as it is, which Cognito resets like the
    rest, and takes the names of pools for settings. After SetUserPoolMfaConfig it still describes the MfaConfiguration
    of before. Of a password policy it keeps only what was given.
    """
    old = getattr(pool, "extended_config", None)
    settings = {name: value for name, value in extended_config.items() if name not in _KEPT_ELSEWHERE}
    settings |= {name: old[name] for name in _UNCHANGEABLE if old and name in old}
    if "Policies" in settings:
        policy = (settings["Policies"] or {}).get("PasswordPolicy")
        settings["Policies"] = {**settings["Policies"], "PasswordPolicy": _whole(policy)}
    ORIGINALS["update_extended_config"](pool, settings)
    if old is not None:
        pool.name = extended_config.get("PoolName") or pool.name
        pool.mfa_config = extended_config.get("MfaConfiguration") or "OFF"
        pool.last_modified_date = utcnow()


def _whole(policy: dict[str, Any] | None) -> dict[str, Any]:
    """Fill up a password policy: what a given one does not demand is not demanded."""
    default: dict[str, Any] = cognito.DEFAULT_USER_POOL_CONFIG["Policies"]["PasswordPolicy"]
    if policy is None:
        return default
    return {name: False if value is True else value for name, value in default.items()} | policy


class _KeysReadOnce:
    """Patch how moto reads a pool's signing key: it is the same for all, and reading it takes a tenth of a second."""

    @classmethod
    def import_key(cls, key: dict[str, Any]) -> Any:
        """Return the key of a JWK."""
        return cls._read(json.dumps(key))

    @staticmethod
    @cache
    def _read(text: str) -> Any:
        return ORIGINAL_JWK.RSAKey.import_key(json.loads(text))


_PATCHES = {"__init__": _init, "update_extended_config": _update_extended_config}
ORIGINALS: dict[str, Any] = {name: getattr(_UserPool, name) for name in _PATCHES}
"""moto's own methods of a user pool that are patched, by name."""

_models: Any = cognito
ORIGINAL_JWK = _models.jwk
"""What moto reads keys with, which is patched for moto's Cognito alone."""

_models.jwk = SimpleNamespace(RSAKey=_KeysReadOnce)
# moto asks boto3 which regions there are, and boto3 fails for an AWS_PROFILE that is not there.
setattr(AccountSpecificBackend, "get_session", staticmethod(cache(lambda: stand_in_session("us-east-1"))))  # noqa: B010 -- mypy forbids the plain form
for _name, _patch in _PATCHES.items():
    setattr(_UserPool, _name, _patch)
