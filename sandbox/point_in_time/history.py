"""What every user and group of a pool was at any time of the last two weeks, by the sandbox's clock.

Nobody tells of a change. A directory tells whenever it hands out a user (`touch`), and nobody changes a user that was
not handed out. What was changed after one touch is found at the next, and counts as changed at the time of the first.
A version is kept only where something differs, so a user who is only read costs a comparison.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.clock import Clock
    from sandbox.users.directory import User

KEPT_SECONDS = 14 * 86_400.0
"""How far back a pool on the Plus plan can be recovered."""

PROFILE = ("attributes", "groups", "status", "enabled", "password")
PASSWORD = ("password", "password_expires", "password_set", "password_chosen")
FACTORS = ("mfa", "preferred_mfa", "sms_by_settings", "totp_secret")
_NAMES = (*PROFILE, *PASSWORD[1:], *FACTORS, "passkey", "created", "modified", "federated", "username")
_read = attrgetter(*_NAMES)
_COPIED = (_NAMES.index("attributes"), _NAMES.index("groups"), _NAMES.index("mfa"))

Image = Mapping[str, Any]
"""What a user was: what a recovery brings back, by the fields of `User`."""


def image_of(user: User) -> Image:
    """Return what a user is now."""
    return _named(_copied(_read(user), ()))


def _named(values: tuple[Any, ...]) -> Image:
    return dict(zip(_NAMES, values, strict=True))


def _copied(values: tuple[Any, ...], last: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values with copies of what can change, shared with the last version where it did not."""
    copied = list(values)
    for place in _COPIED:
        copied[place] = last[place] if last and last[place] == values[place] else values[place].copy()
    return tuple(copied)  # a plain one, which costs the garbage collector the least


@dataclass(slots=True)
class _Versions:
    """What one user or group was, oldest first; None: there was none."""

    touched: float = 0.0
    times: list[float] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)

    def add(self, at: float, version: Any) -> None:
        self.times.append(at)
        self.kept.append(version)
        while len(self.times) > 1 and self.times[1] < at - KEPT_SECONDS:
            del self.times[0], self.kept[0]

    def at(self, time: float) -> Any:
        after = bisect_right(self.times, time)
        return self.kept[after - 1] if after else None


class History:
    """What the users and groups of one pool were. Called with the lock of the world held."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.since = clock.now()
        self._users: dict[str, _Versions] = {}  # by sub
        self._groups: dict[str, _Versions] = {}
        self._tiers: list[tuple[float, str]] = []

    def touch(self, user: User) -> None:
        """Note what a user is before somebody may change them."""
        versions = self._users.get(user.sub)
        if versions is None:  # of a user who is not taken in yet
            return
        last, values = versions.kept[-1], _read(user)
        if last is not None and last != values:
            versions.add(versions.touched, _copied(values, last))
        versions.touched = self._clock.now()

    def added(self, user: User) -> None:
        """Note that there is a new user."""
        versions = self._users.setdefault(user.sub, _Versions())
        versions.touched = self._clock.now()
        versions.add(versions.touched, _copied(_read(user), ()))

    def removed(self, user: User) -> None:
        """Note that a user is no longer there."""
        self._users[user.sub].add(self._clock.now(), None)

    def note_group(self, name: str, definition: Mapping[str, Any] | None) -> None:
        """Note what a group is now, None if it is no longer there."""
        versions = self._groups.setdefault(name, _Versions())
        if not versions.kept or versions.kept[-1] != definition:
            versions.add(self._clock.now(), definition)

    def note_tier(self, tier: str) -> None:
        """Note on which plan the pool is from now on."""
        self._tiers.append((self._clock.now(), tier))

    def tiers_since(self, time: float) -> set[str]:
        """Return the plans that the pool was on at this time or later."""
        before = [tier for at, tier in self._tiers if at <= time][-1:]
        return {*before, *(tier for at, tier in self._tiers if at > time)}

    def users_at(self, time: float) -> dict[str, Image]:
        """Return who there was, by sub."""
        return {sub: _named(values) for sub, values in _at(self._users, time).items()}

    def groups_at(self, time: float) -> dict[str, Mapping[str, Any]]:
        """Return which groups there were, by name."""
        return _at(self._groups, time)


def _at(all_versions: Mapping[str, _Versions], time: float) -> dict[str, Any]:
    found = ((key, versions.at(time)) for key, versions in all_versions.items())
    return {key: version for key, version in found if version is not None}
