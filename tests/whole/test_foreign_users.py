from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from pools import MARKER, Account, Pool, by_email, by_name, by_sub, read_pool

from sandbox.faults import Fault
from sandbox.local import backdate
from sandbox.server import Sandbox

EVERY_CREATION_UNHEARD = Fault("drop-after", "AdminCreateUser")
NO_CREATION = Fault("throttle", "AdminCreateUser")
OTHERWISE = {"name": "Somebody Else", "email": "somebody.else@example.com", "email_verified": "true"}


@dataclass
class Foreigners:
    """Users that somebody else makes in the new pool, each under the name that an old user has."""

    client: Any
    pool_id: str
    key: Callable[[Account], str] = by_name
    passwords: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make groups and an app client, to sign in with."""
        self.client.create_group(UserPoolId=self.pool_id, GroupName="owners")
        made = self.client.create_user_pool_client(
            UserPoolId=self.pool_id, ClientName="app", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        )
        self.app = made["UserPoolClient"]["ClientId"]

    def add(self, username: str, attributes: dict[str, str], *, confirmed: bool, groups: tuple[str, ...] = ()) -> None:
        """Make a user with a password of its own: its final one, or the one that it was invited with."""
        whom = {"UserPoolId": self.pool_id, "Username": username}
        password = f"Foreign-Passw0rd-{len(self.passwords)}!"
        pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
        self.client.admin_create_user(
            **whom, UserAttributes=pairs, TemporaryPassword=password, MessageAction="SUPPRESS"
        )
        if confirmed:
            self.client.admin_set_user_password(**whom, Password=password, Permanent=True)
        for group in groups:
            self.client.admin_add_user_to_group(**whom, GroupName=group)
        self.passwords[username] = password
        self.taken.add(username)

    def state(self) -> dict[str, Any]:
        """All that can be seen of them, with what signing in with their passwords leads to."""
        there = read_pool(self.client, self.pool_id, self.key).users
        return {name: (there[name].entirely, self._sign_in(name)) for name in self.passwords}

    def _sign_in(self, username: str) -> str:
        parameters = {"USERNAME": username, "PASSWORD": self.passwords[username]}
        answer = self.client.admin_initiate_auth(
            UserPoolId=self.pool_id,
            ClientId=self.app,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters=parameters,
        )
        return "signed in" if "AuthenticationResult" in answer else answer["ChallengeName"]


def in_the_new_pool(old: Account) -> dict[str, str]:
    """The attributes that an old user has in the new pool, but for the marker."""
    return {name: value for name, value in old.attributes.items() if name != "custom:obsolete"}


def crossing(pool: Pool, name: Callable[[Account], str]) -> list[Account]:
    """The users whom a migration creates, the disabled ones first; `name` is what they sign in with."""
    users = [user for user in pool.users.values() if user.status not in {"UNCONFIRMED", "EXTERNAL_PROVIDER"}]
    owners = Counter(name(user).casefold() for user in users)
    alone = (user for user in users if owners[name(user).casefold()] == 1)
    return sorted(alone, key=lambda user: (user.enabled, name(user)))


@pytest.fixture
def old_users(client, seeded):
    """An old pool, a new one, and those of the old users whom a migration creates."""
    old, target = seeded(24)
    return old.pool_id, target, crossing(read_pool(client, old.pool_id, by_sub), by_name)


@pytest.fixture
def moving(migration, old_users):
    """Makes a scanned migration over a server."""

    def make(server: Sandbox, marker: str | None):
        source, target, _ = old_users
        made = migration(source, target, target_endpoint=server.endpoint_url, users={"keep_sub_as": marker})
        assert made("scan").code == 0
        return made

    return make


def settle(foreigners: Foreigners, old: list[Account]) -> None:
    """Make foreign users of several sorts, under the names of the first old users."""
    disabled, second, third, fourth, fifth, free = old[:6]
    assert not disabled.enabled
    foreigners.add(disabled.username, OTHERWISE, confirmed=True, groups=("owners",))
    foreigners.add(second.username, OTHERWISE | {"name": "Invited"}, confirmed=False, groups=("owners",))
    foreigners.add(third.username, OTHERWISE | {MARKER: free.sub}, confirmed=True)
    foreigners.add(fourth.username, OTHERWISE | {MARKER: free.sub}, confirmed=False)
    foreigners.add(fifth.username, in_the_new_pool(fifth), confirmed=True, groups=("owners",))
    foreigners.add("nobody-we-know", OTHERWISE | {MARKER: free.sub}, confirmed=True)
    foreigners.taken.remove("nobody-we-know")


def settle_twins(foreigners: Foreigners, old: list[Account], *, after_the_intent: bool) -> None:
    """Make foreign users who were invited and have every attribute of an old user, but are told apart by the rest."""
    older, more, member = old[6:9]
    foreigners.add(older.username, in_the_new_pool(older), confirmed=False)
    backdate(foreigners.pool_id, older.username, timedelta(days=1))
    foreigners.add(more.username, in_the_new_pool(more) | {"nickname": "Zed"}, confirmed=False)
    foreigners.add(member.username, in_the_new_pool(member), confirmed=False, groups=("owners",))
    if not after_the_intent:
        for user in (more, member):
            backdate(foreigners.pool_id, user.username, timedelta(days=1))


def assert_left_alone(moving, foreigners: Foreigners, others: int) -> None:
    """Run and verify, again and again: the foreign users are reported, and stay as they are."""
    before = foreigners.state()
    for created in (others, 0):
        ran = moving("run", "--yes", "--json")
        assert (ran.code, ran.json["created"], ran.json["left"]) == (1, created, len(foreigners.taken))
        assert {failure["username"]: failure["problem"] for failure in ran.json["failures"]} == dict.fromkeys(
            foreigners.taken, "taken"
        )
        assert foreigners.state() == before
    verified = moving("verify", "--json")
    assert verified.code == 5
    missing = {difference["username"] for difference in verified.json["differences"]}
    assert (missing, verified.json["others"]) == (foreigners.taken, len(before))


@pytest.mark.parametrize("marker", [MARKER, None])
@pytest.mark.parametrize("faults", [pytest.param([], id="calm"), pytest.param([EVERY_CREATION_UNHEARD], id="unheard")])
def test_who_is_there_already_is_left_alone(client, old_users, moving, faults, marker):
    """A user whom somebody else made under an old user's name is reported as taken, and nothing of it changes."""
    _, target, old = old_users
    foreigners = Foreigners(client, target)
    settle(foreigners, old)
    settle_twins(foreigners, old, after_the_intent=False)
    with Sandbox() as server:
        made = moving(server, marker)
        server.faults.replace(faults)
        assert_left_alone(made, foreigners, len(old) - len(foreigners.taken))
        assert set(server.failed) == {fault.operation for fault in faults}
    there = read_pool(client, target, by_name).users
    assert there.keys() == {user.username for user in old} | foreigners.passwords.keys()
    ours = there.keys() - foreigners.passwords.keys()
    assert {there[name].status for name in ours} == {"CONFIRMED"}
    assert {there[user.username].marker == user.sub for user in old if user.username in ours} == {marker is not None}


@pytest.mark.parametrize(
    ("faults", "marker"),
    [
        pytest.param([], None, id="calm-without-marker"),
        pytest.param([EVERY_CREATION_UNHEARD], None, id="unheard-without-marker"),
        pytest.param([EVERY_CREATION_UNHEARD], MARKER, id="unheard"),
    ],
)
def test_who_came_between_an_intent_and_the_rerun_is_left_alone(client, old_users, moving, faults, marker):
    """A user whom somebody else made after a killed run had intended to create that name is left alone as well."""
    _, target, old = old_users
    foreigners = Foreigners(client, target)
    with Sandbox() as server:
        made = moving(server, marker)
        server.faults.replace([NO_CREATION])
        with made.start("run", "--yes") as process:
            while not server.failed["AdminCreateUser"] and process.poll() is None:
                time.sleep(0.002)
            process.kill()
            process.communicate()
        assert process.returncode == -signal.SIGKILL
        settle(foreigners, old)
        settle_twins(foreigners, old, after_the_intent=True)
        server.faults.replace(faults)
        assert_left_alone(made, foreigners, len(old) - len(foreigners.taken))
    assert read_pool(client, target, by_name).users.keys() == {user.username for user in old} | {"nobody-we-know"}


def test_who_has_an_old_users_e_mail_address_is_left_alone(client, seeded, migration):
    """Where users sign in by e-mail address, whoever has an old user's address there already is left alone."""
    old, target = seeded(24, kind="email", target_kind="email")
    one, another, *_ = crossing(read_pool(client, old.pool_id, by_sub), by_email)
    foreigners = Foreigners(client, target, by_email)
    foreigners.add(by_email(one), {"name": "Somebody Else"}, confirmed=True, groups=("owners",))
    foreigners.add(by_email(another), {"name": "Somebody Else"}, confirmed=False)
    before = foreigners.state()
    with Sandbox(faults=[Fault("drop-after", "AdminCreateUser", every=2)]) as server:
        moving = migration(old.pool_id, target, target_endpoint=server.endpoint_url)
        assert moving("scan").code == 0
        for _ in range(2):
            ran = moving("run", "--yes", "--json")
            assert (ran.code, ran.json["left"]) == (1, 2)
            blamed = {failure["username"]: failure["problem"] for failure in ran.json["failures"]}
            assert blamed == {one.username: "taken", another.username: "taken"}
            assert foreigners.state() == before
