"""A pool of made-up users in this process, for `scan`, `run` and `verify` to read: no server, and no time for a call.

Users come in no order, as Cognito lists them, each with eight attributes and two groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from batch.plan.naming import Naming
from batch.plan.user_plan import Context
from userpool.attributes import Attribute, Schema
from userpool.identity import SignIn
from userpool.settings import Rules
from userpool.user import Group, User

GROUPS = 20
MEMBERSHIPS = 2
_PAGE = 60
_MARKER = "custom:legacy_sub"
_CREATED, _MODIFIED = 1_600_000_000.123, 1_700_000_000.456


def context() -> Context:
    """Return what is the same for every user: from a pool of user names to one that has e-mail aliases, in any case."""
    schema = Schema({name: Attribute(name) for name in (_MARKER, "custom:tenant")})
    target = SignIn(alias_attributes=("email",), case_sensitive=False)
    return Context(Rules(), Naming(SignIn(), target), schema, _MARKER)


def sub_of(number: int, salt: str = "old") -> str:
    """Return the sub of a user, by number."""
    digits = hashlib.md5(f"{salt}{number}".encode(), usedforsecurity=False).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class MadeUpPool:
    """What the old pool holds, or with `new` the new one, when everybody is there; every page anew."""

    pool_id = "eu-west-1_MadeUp001"

    def __init__(self, users: int, *, new: bool = False) -> None:
        self._users = users
        self._new = new

    def sub(self, number: int) -> str:
        """Return the sub of a user in this pool."""
        return sub_of(number, "new" if self._new else "old")

    def user(self, number: int) -> User:
        """Return a user."""
        attributes = {
            "email": f"user{number}@example.com",
            "email_verified": "true",
            "phone_number": f"+3161{number:07}",
            "phone_number_verified": "true",
            "given_name": "Aleksandra",
            "family_name": f"Vermeulen-{number}",
            "locale": "nl-NL",
            "custom:tenant": f"tenant-{number % 97}",
        }
        if self._new:
            attributes[_MARKER] = sub_of(number)
        return User(f"user{number}", self.sub(number), attributes, created=_CREATED, modified=_MODIFIED)

    def find(self, username: str) -> User:
        """Return a user by name."""
        return self.user(int(username.removeprefix("user")))

    def users(self) -> Iterator[list[User]]:
        """Yield pages of all users."""
        return self._pages(range(self._users), self.user)

    def groups(self) -> Iterator[list[Group]]:
        """Yield all groups, as one page."""
        yield [Group(f"group-{number}") for number in range(GROUPS)]

    def members(self, group: str) -> Iterator[list[User]]:
        """Yield pages of a group's members, of which nothing counts but the sub."""
        number = int(group.removeprefix("group-"))
        members = [*range(number, self._users, GROUPS), *range((number - 1) % GROUPS, self._users, GROUPS)]
        return self._pages(members, lambda one: User("", self.sub(one), {}))

    def _pages(self, numbers: range | list[int], make: Callable[[int], User]) -> Iterator[list[User]]:
        for first in range(0, len(numbers), _PAGE):
            yield [make(number) for number in numbers[first : first + _PAGE]]
