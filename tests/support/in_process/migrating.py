"""A migration in this process: an old pool as it was scanned, and the new one that runs bring it into."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError, ReadTimeoutError

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.pacing.pacer import Pacer
from batch.plan.naming import Naming
from batch.plan.plan import make_plan
from batch.plan.user_plan import Context, marker_of
from batch.run.run import Run, RunSummary, not_as_planned
from batch.runtime.progress_bar import ProgressBars
from userpool.identity import SignIn
from userpool.pool import UserPool
from userpool.quotas import CATEGORY, DEFAULT_RPS
from userpool.settings import Rules
from userpool.user import Group, Status, User

MARKER = "custom:legacy_sub"
LEGACY_SUB = {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}
FINGERPRINT = {"source.user_pool_id": "eu-west-1_Old", "target.user_pool_id": "eu-west-1_New"}
PASSWORD = "Passw0rd-of-nobody!"
WRITES = {"AdminCreateUser", "AdminSetUserPassword", "AdminDisableUser", "AdminAddUserToGroup", "CreateGroup"}
_OPERATIONS = {xform_name(operation): operation for operation in CATEGORY}


Act = Callable[[Callable[[], Any], dict[str, Any]], Any]


class Watched:
    """A boto3 client whose calls are kept, and done to as a test says."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.acts: dict[str, Act] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation, method = _OPERATIONS[name], getattr(self.client, name)

        def call(**params: Any) -> Any:
            self.calls.append((operation, params))
            act = self.acts.get(operation) or self.acts.get("*")
            return act(lambda: method(**params), params) if act else method(**params)

        return call

    def count(self, operation: str) -> int:
        """How often the operation was called."""
        return sum(name == operation for name, _ in self.calls)

    @property
    def writes(self) -> int:
        """How many calls would change the pool."""
        return sum(name in WRITES for name, _ in self.calls)


def unanswered() -> ReadTimeoutError:
    return ReadTimeoutError(endpoint_url="https://cognito-idp.eu-west-1.amazonaws.com")


def refused(code: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Anything")


def gets_lost(_attempt, _params):
    """The call is not carried out, and nobody says so."""
    raise unanswered()


def happens_unheard(attempt, _params):
    """The call is carried out, and nobody says so."""
    attempt()
    raise unanswered()


class World:
    """An old pool as it was scanned, and the new pool that runs bring it into; each command opens the file anew."""

    def __init__(self, folder: Path, client: Any, pool_id: str, *, rules: Rules | None = None) -> None:
        self.path = folder / "migration.db"
        self.pool_id = pool_id
        self.watched = Watched(client)
        self.direct = UserPool(client, pool_id)
        pacer = Pacer(dict.fromkeys(DEFAULT_RPS, 1e9), sleep=lambda _seconds: None)
        self.target = UserPool(self.watched, pool_id, pacer.policy())
        self.description = self.direct.describe()
        self.use(rules or Rules())

    def use(self, rules: Rules) -> None:
        """Change the rules."""
        schema = self.description.schema
        self.context = Context(rules, Naming(SignIn(), SignIn()), schema, marker_of(rules, schema))

    @contextmanager
    def inventory(self) -> Iterator[Inventory]:
        """Open the inventory as a command does."""
        with Inventory.open(self.path, FINGERPRINT, create=True) as inventory:
            yield inventory

    def scanned(
        self,
        users: Iterable[User],
        groups: Iterable[Group] = (),
        memberships: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Put a scan into the inventory."""
        with self.inventory() as inventory:
            snapshot = Snapshot(inventory)
            snapshot.begin()
            snapshot.save_users(users)
            snapshot.save_groups(groups)
            with inventory.transaction():
                snapshot.save_memberships(memberships)
            snapshot.complete()

    def run(
        self,
        *,
        limit: int | None = None,
        workers: int = 4,
        stop: threading.Event | None = None,
        before: Callable[[Inventory], object] = lambda _: None,
        disable_gone: bool = False,
    ) -> RunSummary:
        """Plan and run; `before` may do something to the open inventory first."""
        with self.inventory() as inventory:
            make_plan(inventory, self.context, {})
            before(inventory)
            carrying_out = Run(
                self.target,
                self.description,
                inventory,
                self.context,
                workers=workers,
                stop=stop or threading.Event(),
                progress=ProgressBars(quiet=True, out=StringIO()),
            )
            return carrying_out.run(now=lambda: 0.0, limit=limit, disable_gone=disable_gone)

    def failures(self) -> dict[str, str]:
        """Say what problem each user has who is not done."""
        with self.inventory() as inventory:
            return {one["username"]: one["problem"] for one in not_as_planned(inventory)}

    def there(self) -> dict[str, tuple[bool, Status, tuple[str, ...]]]:
        """Say who is in the new pool: enabled, status, groups."""
        return {
            user.username: (user.enabled, user.status, tuple(sorted(self.groups_of(user.username))))
            for page in self.direct.users()
            for user in page
        }

    def groups_of(self, username: str) -> list[str]:
        """Name the groups of a user of the new pool."""
        return [name for page in self.direct.groups_of(username) for name in page]

    def made(self) -> Counter[str]:
        """Count the creations asked for, by user name."""
        return Counter(params["Username"] for name, params in self.watched.calls if name == "AdminCreateUser")


def person(number: int, *, enabled: bool = True) -> User:
    email = f"user{number}@example.com"
    return User(f"user{number}", f"sub-{number:04}", {"email": email, "email_verified": "true"}, enabled=enabled)


def empty(client: Any, pool_id: str) -> None:
    """Take everything out of a pool, because a pool takes long to make."""
    while users := client.list_users(UserPoolId=pool_id)["Users"]:
        for user in users:
            client.admin_delete_user(UserPoolId=pool_id, Username=user["Username"])
    for group in client.list_groups(UserPoolId=pool_id)["Groups"]:
        client.delete_group(UserPoolId=pool_id, GroupName=group["GroupName"])


GROUPS = (Group("admins", "May do all", 0, "arn:aws:iam::1:role/admin"), Group("readers", precedence=5), Group("bare"))


class PowerCutError(BaseException):
    """The process is no more."""


PEOPLE = (person(1), person(2, enabled=False), person(3))
MEMBERSHIPS = (("sub-0001", "admins"), ("sub-0001", "readers"), ("sub-0002", "bare"))
WHOLE = {
    "user1": (True, Status.CONFIRMED, ("admins", "readers")),
    "user2": (False, Status.CONFIRMED, ("bare",)),
    "user3": (True, Status.CONFIRMED, ()),
}
