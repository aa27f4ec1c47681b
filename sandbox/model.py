"""The one door to moto's Cognito model, which is global to the process and not thread safe.

Whoever calls into moto, over HTTP or in process, does so inside `MOTO_LOCK`. Importing this module also replaces one
slow lookup in moto, see `_find_user`.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import timedelta
from functools import lru_cache
from typing import Any

from moto.cognitoidp import models as cognito
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.core.base_backend import AccountSpecificBackend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import camelcase_to_underscores, method_names_from_class

from userpool.client import stand_in_session

REGION = "us-east-1"
"""Where the sandbox's user pools live unless a client says otherwise."""

MOTO_LOCK = threading.RLock()
"""Held around every call into moto."""

_METHODS = frozenset(method_names_from_class(CognitoIdpResponse))


def implements(operation: str) -> bool:
    """Tell whether moto has this Cognito operation."""
    return camelcase_to_underscores(operation) in _METHODS


def mark_external(pool_id: str, username: str) -> None:
    """Give a user the status EXTERNAL_PROVIDER, which only a federated sign-in could give it over the API."""
    with MOTO_LOCK:
        _backend(pool_id).admin_get_user(pool_id, username).status = "EXTERNAL_PROVIDER"


def backdate(pool_id: str, username: str, age: timedelta) -> None:
    """Make a user as old as `age`, which only waiting could do over the API."""
    with MOTO_LOCK:
        user = _backend(pool_id).admin_get_user(pool_id, username)
        user.create_date -= age
        user.last_modified_date -= age


def _backend(pool_id: str) -> Any:
    region = pool_id.rpartition("_")[0]
    return cognito.cognitoidp_backends[DEFAULT_ACCOUNT_ID][region]


# In a user pool whose users sign in by an attribute, moto looks each user up by scanning all users and rebuilding each
# one's attributes, so that filling a pool takes time by the square of its users. The index below holds, for each pool,
# who has ever had an attribute value; `_find_user` believes it only for a user that is still there and still has it.
_User = Any  # moto's CognitoIdpUser, whose attributes are moto's own affair
_UserPool = Any
_holders: defaultdict[tuple[str, str], list[_User]] = defaultdict(list)
_moto_update_attributes: Any = cognito.CognitoIdpUser.update_attributes


def _update_attributes(user: _User, new_attributes: list[dict[str, Any]]) -> None:
    _moto_update_attributes(user, new_attributes)
    for name in ("email", "phone_number"):
        value = user.attribute_lookup.get(name)
        if value is not None and user not in (holders := _holders[user.user_pool_id, value]):
            holders.append(user)


def _find_user(pool: _UserPool, username: str) -> _User | None:
    aliases = pool.extended_config.get("UsernameAttributes") or ()
    for user in _holders.get((pool.id, username), ()) if aliases else ():
        present = pool.users.get(user.username) is user
        if present and any(user.attribute_lookup.get(alias) == username for alias in aliases):
            return user
    return pool.users.get(username)


# moto asks boto3 which regions there are, and boto3 would fail for a profile that is named but not there.
_session = lru_cache(lambda: stand_in_session(REGION))
setattr(AccountSpecificBackend, "get_session", staticmethod(_session))  # noqa: B010

setattr(cognito.CognitoIdpUser, "update_attributes", _update_attributes)  # noqa: B010 - mypy forbids the plain form
setattr(cognito.CognitoIdpUserPool, "_get_user", _find_user)  # noqa: B010
