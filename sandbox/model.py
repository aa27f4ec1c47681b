"""The one door to moto's Cognito model, which is global to the process and not thread safe.

Whoever calls into moto, over HTTP or in process, does so inside `MOTO_LOCK`. Importing this module also replaces what
takes moto time by the square of the users: looking one up (see `_find_user`) and listing them all (see `_paginate`).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import timedelta
from functools import lru_cache
from typing import Any

from moto.cognitoidp import models as cognito
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.cognitoidp.utils import PAGINATION_MODEL
from moto.core.base_backend import AccountSpecificBackend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.utilities.paginator import Paginator, paginate

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


# For every page of a listing moto copies the users of the pool one by one, or asks of each whether it is in the group;
# then it searches for the item that the page token names. Here users are kept in what can be copied at once, and where
# an item stood when its token was given out is looked at first.
_places: dict[str, int] = {}
_moto_init_pool: Any = cognito.CognitoIdpUserPool.__init__
_moto_init_group: Any = cognito.CognitoIdpGroup.__init__
_moto_paginate: Any = Paginator.paginate


class _Members(dict[_User, None]):
    """A set that keeps its order, so that pages do not overlap."""

    def add(self, user: _User) -> None:
        self[user] = None

    def discard(self, user: _User) -> None:
        self.pop(user, None)

    remove = dict.__delitem__


def _init_pool(pool: _UserPool, *args: Any, **kwargs: Any) -> None:
    _moto_init_pool(pool, *args, **kwargs)
    pool.users = dict(pool.users)


def _init_group(group: Any, *args: Any, **kwargs: Any) -> None:
    _moto_init_group(group, *args, **kwargs)
    group.users = _Members()


@paginate(PAGINATION_MODEL)
def list_users_in_group(backend: Any, user_pool_id: str, group_name: str) -> list[_User]:
    """Replace moto's method of this name, by which its pagination knows it."""
    return list(backend.get_group(user_pool_id, group_name).users)


def _paginate(paginator: Any, results: list[Any]) -> tuple[list[Any], str | None]:
    start = _places.get(paginator._starting_token, 0)  # noqa: SLF001
    if start < len(results) and paginator._check_predicate(results[start]):  # noqa: SLF001
        results = results[start : start + paginator._max_results + 1]  # noqa: SLF001 - one more, for the next token
        page, token = _moto_paginate(paginator, results)
    else:
        page, token = _moto_paginate(paginator, results)
        start = results.index(page[0]) if page else 0
    if token is not None:
        _places[token] = start + len(page)
    return page, token


# moto asks boto3 which regions there are, and boto3 would fail for a profile that is named but not there.
_session = lru_cache(lambda: stand_in_session(REGION))
setattr(AccountSpecificBackend, "get_session", staticmethod(_session))  # noqa: B010

setattr(cognito.CognitoIdpUser, "update_attributes", _update_attributes)  # noqa: B010 - mypy forbids the plain form
setattr(cognito.CognitoIdpUserPool, "_get_user", _find_user)  # noqa: B010
setattr(cognito.CognitoIdpUserPool, "__init__", _init_pool)  # noqa: B010
setattr(cognito.CognitoIdpGroup, "__init__", _init_group)  # noqa: B010
setattr(cognito.CognitoIdpBackend, "list_users_in_group", list_users_in_group)  # noqa: B010
setattr(Paginator, "paginate", _paginate)  # noqa: B010
