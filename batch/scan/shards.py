"""List all users of a pool in sixteen shards at once, by the first digit of the `sub`, and notice if one is missing.

A listing in sequence waits for each page before it can ask for the next. That ListUsers filters by a prefix of the
`sub` follows from the words of its API reference alone; nobody has reported that it does. So what the shards list is
believed only if it stands up to checks; otherwise the users are listed in sequence.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice

from batch.inventory.snapshot import Snapshot
from batch.runtime import engine
from batch.settings.config import Listing
from userpool.door import PageExpiredError
from userpool.errors import MigrationError, NotAllowedError, UserError
from userpool.pool import UserPool
from userpool.user import User

_DIGITS = "0123456789abcdef"
_LARGE = 20_000  # users: below, a listing in sequence takes half a minute at most
_SAMPLE_PAGES = 10
_TOLERANCE = 0.001  # of Cognito's estimate, by which the shards may fall short of it
_MOST_LOOKED_UP = 100


class ShardsError(MigrationError):
    """The shards are not, or may not be, the whole pool; the text says why."""


def in_shards(listing: Listing, users_last_time: int) -> bool:
    """Say whether to list in shards: if told to, else in a large pool whose users an earlier scan knows.

    Without an earlier scan the checks see a large gap but not a small one; with it they see every user that is missing.
    """
    return listing == "shards" or (listing == "auto" and users_last_time >= _LARGE)


class Shards:
    """One listing in shards, begun before anybody is recorded: record its `pages`, and then `require_whole`."""

    def __init__(self, source: UserPool, snapshot: Snapshot, *, workers: int, stop: threading.Event) -> None:
        self._source = source
        self._snapshot = snapshot
        self._workers = min(workers, len(_DIGITS))
        self._stop = stop
        self._over = threading.Event()
        self._last = snapshot.last_listing()
        self._sample: dict[str, str] = {}  # user names by sub

    def pages(self) -> Generator[list[list[User]]]:
        """Yield the pages of all shards, some at a time, in the caller's thread; pages may repeat.

        Raises ShardsError if the pool does not list by shards.
        """
        self._sample = self._listed_in_sequence()
        with closing(engine.run(_DIGITS, self._shard, workers=self._workers, stop=self._stop)) as batches:
            try:
                yield from batches
            except (UserError, PageExpiredError) as error:
                raise ShardsError(f"it is refused: {error}") from None

    def require_whole(self, *, estimated: int) -> None:
        """Raise ShardsError unless the users who were recorded are everybody.

        They fall short of Cognito's estimate by next to nothing (0 is no estimate). And of those who were in the last
        scan, or in a sample taken in sequence before, nobody is missing who is still there.
        """
        listed = self._snapshot.count("users")
        if listed < estimated * (1 - _TOLERANCE):
            raise ShardsError(f"it lists {listed} users, and Cognito estimates {estimated}")
        missing = self._snapshot.not_found(self._last, self._sample, most=_MOST_LOOKED_UP + 1)
        if len(missing) > _MOST_LOOKED_UP:
            raise ShardsError(f"it lacks over {_MOST_LOOKED_UP} users who were there before")
        if any(self._is_there(sub, username) for sub, username in missing.items()):
            raise ShardsError("it lacks a user who is there")

    def _listed_in_sequence(self) -> dict[str, str]:
        pages = (page for page in self._source.users() if page)
        return {user.sub: user.username for page in islice(pages, _SAMPLE_PAGES) for user in page}

    def _shard(self, digit: str) -> Iterator[list[User]]:
        """Yield the pages of a shard, until another one fails: there is no use in this one then."""
        try:
            for page in self._source.users(sub_prefix=digit):
                if self._over.is_set() or self._stop.is_set():
                    return
                _require_digit(digit, page)
                yield page
        except MigrationError:
            self._over.set()
            raise

    def _is_there(self, sub: str, username: str) -> bool:
        """Ask for the user, which unlike a listing is strongly consistent."""
        try:
            found = self._source.find(username)
        except NotAllowedError:
            raise ShardsError("whether somebody is missing cannot be asked: grant cognito-idp:AdminGetUser") from None
        return found is not None and found.sub == sub


def _require_digit(digit: str, page: Iterable[User]) -> None:
    """Raise ShardsError if the filter let somebody through: sixteen times the whole pool would take as many calls."""
    if any(user.sub[:1].lower() != digit for user in page):
        raise ShardsError("it lists users of other shards as well")
