"""List all users of a pool in sixteen shards at once, by the first digit of the `sub`, and check that none is missing.

A listing in sequence waits for each page before it can ask for the next. That `sub` can be filtered by a prefix follows
only from the API reference of ListUsers. Nobody has reported that it works. The shards are therefore believed only if
they pass checks. If they do not, the users are listed in sequence.
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
from userpool.plural import plural
from userpool.pool import UserPool
from userpool.user import User

_DIGITS = "0123456789abcdef"
_LARGE = 20_000  # users: a smaller pool is listed in sequence in half a minute at most
_SAMPLE_PAGES = 10
_TOLERANCE = 0.001  # the part of Cognito's estimate that may be missing
_MOST_LOOKED_UP = 100


class ShardsError(MigrationError):
    """The shards are not the whole pool, or may not be. The text says why."""


def in_shards(listing: Listing, users_last_time: int) -> bool:
    """Return whether to list in shards: if the settings say so, or if the pool is large and was scanned before.

    Without an earlier scan, the checks notice a large gap but not a small one. With an earlier scan, they notice every
    missing user who was in it.
    """
    return listing == "shards" or (listing == "auto" and users_last_time >= _LARGE)


class Shards:
    """One listing in shards. Make it before any user is recorded, record its `pages`, then call `require_whole`."""

    def __init__(self, source: UserPool, snapshot: Snapshot, *, workers: int, stop: threading.Event) -> None:
        self._source = source
        self._snapshot = snapshot
        self._workers = min(workers, len(_DIGITS))
        self._stop = stop
        self._over = threading.Event()
        # Asked before this scan records anybody. Recording moves users to this scan, and an older scan would then be
        # taken for the last one.
        self._last = snapshot.last_listing()
        self._sample: dict[str, str] = {}  # user names by sub

    def pages(self) -> Generator[list[list[User]]]:
        """Yield the pages of all shards in batches, in the caller's thread. Pages may repeat.

        Raises ShardsError if the pool cannot be listed in shards.
        """
        self._sample = self._listed_in_sequence()
        with closing(engine.run(_DIGITS, self._shard, workers=self._workers, stop=self._stop)) as batches:
            try:
                yield from batches
            except (UserError, PageExpiredError) as error:
                # Other errors, such as denied permissions, have nothing to do with the filter. They end the scan.
                raise ShardsError(f"it is refused: {error}") from None

    def require_whole(self, *, estimated: int) -> None:
        """Raise ShardsError unless the recorded users are the whole pool.

        Two things are checked. The number must not be much below Cognito's estimate (0 means that there is none). And
        no user of the last scan, or of a sample listed in sequence before, may be missing while the user still exists.
        """
        listed = self._snapshot.count("users")
        if listed < estimated * (1 - _TOLERANCE):
            raise ShardsError(f"it lists {plural(listed, 'user')}, and Cognito estimates {estimated}")
        missing = self._snapshot.not_found(self._last, self._sample, most=_MOST_LOOKED_UP + 1)
        # Each look-up is one call. With so many users missing, a listing in sequence decides for less.
        if len(missing) > _MOST_LOOKED_UP:
            raise ShardsError(f"it lacks over {_MOST_LOOKED_UP} users who were there before")
        if any(self._is_there(sub, username) for sub, username in missing.items()):
            raise ShardsError("it lacks a user who is there")

    def _listed_in_sequence(self) -> dict[str, str]:
        pages = (page for page in self._source.users() if page)
        return {user.sub: user.username for page in islice(pages, _SAMPLE_PAGES) for user in page}

    def _shard(self, digit: str) -> Iterator[list[User]]:
        """Yield the pages of one shard. End early once another shard has failed, because then no shard is of use."""
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
        """Ask for the user. Unlike a listing, AdminGetUser is strongly consistent."""
        try:
            found = self._source.find(username)
        except NotAllowedError:
            raise ShardsError("whether somebody is missing cannot be asked: grant cognito-idp:AdminGetUser") from None
        # Somebody who was deleted and made again under the same name is another user.
        return found is not None and found.sub == sub


def _require_digit(digit: str, page: Iterable[User]) -> None:
    """Raise ShardsError if the filter let a user of another shard through.

    If the filter were ignored, each of the sixteen shards would read the whole pool.
    """
    if any(user.sub[:1].lower() != digit for user in page):
        raise ShardsError("it lists users of other shards as well")
