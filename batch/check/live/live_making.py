"""Make the throw-away pools of `check --live`, and delete them whatever happens. Calls can name no other pool.

Every pool is known by the id that CreateUserPool gave; one whose creation got no answer by its name, which is random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from batch.check.live.throw_away_pools import TAG, AccountPools, LivePool
from userpool.door import Policy
from userpool.errors import MigrationError, UnansweredError

PREFIX = "cognito-migrate-check-live-"

OLD_ENOUGH = timedelta(hours=1)
"""Nobody's check takes so long: a throw-away pool that is older was left over."""

_OF_NO_POOL = frozenset({"CreateUserPool", "ListUserPools"})
_READS = frozenset({"DescribeUserPool"})


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A throw-away pool that is still there, or may be if it has no id; `why`, if deleting it was tried."""

    name: str
    pool_id: str = ""
    why: str = ""


class Making:
    """Makes throw-away pools, with a random `token` in their names, and deletes these.

    `cleaning` paces what deletes them: it goes on when everything else stops.
    """

    def __init__(self, client: Any, policy: Policy, cleaning: Policy, *, token: str) -> None:
        self._client = client
        self._policy = policy
        self._cleaning = cleaning
        self._token = token
        self._own: set[str] = set()
        self._made: dict[str, str] = {}  # ids by name
        self._doubtful: set[str] = set()
        refuse_others(client, self._own, reads=_READS)

    def name(self, kind: str) -> str:
        """Return what the pool of a kind is called: nobody else's is."""
        return f"{PREFIX}{self._token}-{kind}"

    def pool(self, kind: str, **options: Any) -> LivePool:
        """Make a pool with an app client; options are those of CreateUserPool."""
        account, name = AccountPools(self._client, self._policy), self.name(kind)
        try:
            pool_id = account.make(name, **options)
        except UnansweredError:
            self._doubtful.add(name)
            raise
        self._made[name] = pool_id
        self._own.add(pool_id)
        client_id = account.make_client(pool_id)
        self._own.add(client_id)
        return LivePool(self._client, pool_id, self._policy, client_id)

    def remove(self) -> list[LeftOver]:
        """Delete all that was made here; return what is left, with the reason. Never fails."""
        self._made |= {pool.name: pool.pool_id for pool in self._found_again()}
        lost = [LeftOver(name, why="its creation got no answer") for name in sorted(self._doubtful - self._made.keys())]
        left = [self.delete(LeftOver(name, pool_id)) for name, pool_id in self._made.items()]
        return lost + [pool for pool in left if pool]

    def delete(self, pool: LeftOver) -> LeftOver | None:
        """Delete a throw-away pool; return it, with the reason, if it cannot be."""
        self._own.add(pool.pool_id)
        try:
            self._to_clean(pool.pool_id).delete_pool()
        except MigrationError as error:
            return LeftOver(pool.name, pool.pool_id, str(error))
        return None

    def left_over(self, now: datetime | None = None) -> list[LeftOver]:
        """Return the pools that an earlier check has left: by their names, their age and their tag.

        Raises NotAllowedError if pools may not be listed.
        """
        latest = (now or datetime.now(UTC)) - OLD_ENOUGH
        return [
            LeftOver(item["Name"], item["Id"])
            for item in AccountPools(self._client, self._cleaning).listed()
            if item["Name"].startswith(PREFIX) and item["CreationDate"] < latest and self._is_tagged(item["Id"])
        ]

    def _found_again(self) -> Iterator[LeftOver]:
        if self._doubtful:
            with suppress(MigrationError):
                for item in AccountPools(self._client, self._cleaning).listed():
                    if item["Name"] in self._doubtful and self._is_tagged(item["Id"]):
                        yield LeftOver(item["Name"], item["Id"])

    def _is_tagged(self, pool_id: str) -> bool:
        tags: Mapping[str, str] = self._to_clean(pool_id).settings().get("UserPoolTags") or {}
        return TAG.items() <= tags.items()

    def _to_clean(self, pool_id: str) -> LivePool:
        return LivePool(self._client, pool_id, self._cleaning)


def refuse_others(client: Any, own: set[str], *, reads: frozenset[str] = frozenset(), by_token: bool = False) -> None:
    """Let the client call only for the pools and app clients of this set, which may grow.

    `reads` are operations that may name any pool. With `by_token`, calls may also name none but have a user's token.
    """

    def refuse(params: Mapping[str, Any], model: Any, **_: object) -> None:
        named = {params.get("UserPoolId"), params.get("ClientId")} - {None}
        if model.name in _OF_NO_POOL | reads or (named and named <= own):
            return
        if by_token and not named and "AccessToken" in params:
            return
        raise PermissionError(f"{model.name} would be about a pool that this check has not made.")

    client.meta.events.register_first("provide-client-params.cognito-identity-provider", refuse)
