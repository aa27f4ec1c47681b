"""The batch job and the apps' users meet: whoever comes first, everybody ends as one user with one password."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from jobs import Job, KilledError
from mishaps import quietly
from triggering import OLD_PASSWORD, World, new_world

from batch.inventory.inventory import Inventory
from sandbox.in_process import dynamodb_client
from userpool.ledger_table import LedgerTable
from userpool.person import PersonState

USERS = 50
THREADS = 16
DEVICES = 2  # of each user, at the same time
REFUSED = ("NotAuthorizedException", "UserNotFoundException", "UserLambdaValidationException")


class Mortal:
    """Lets whoever uses some clients die: every call of a dead thread (or process) fails before it is made."""

    def __init__(self, chance: float) -> None:
        self.chance = chance
        self.deaths = 0
        self._random = random.Random(11)
        self._dead = threading.local()

    def bind(self, made: Any) -> Any:
        """Let a client's calls be somebody's last."""
        made.meta.events.register("before-call", self._refuse)
        made.meta.events.register("after-call", self._die)
        return made

    def _refuse(self, **_: object) -> None:
        if getattr(self._dead, "yes", False):
            raise KilledError

    def _die(self, **_: object) -> None:
        if self._random.random() < self.chance:
            self._dead.yes = True
            self.deaths += 1
            raise KilledError


def use_app(world: World, username: str) -> bool:
    """Sign in as an app does, with one try at the challenge; return whether it gave tokens."""
    if gives_tokens(world, username):
        return True
    with quietly(*REFUSED):
        return world.capture(username, OLD_PASSWORD) == "captured" and gives_tokens(world, username)
    return False


def gives_tokens(world: World, username: str) -> bool:
    with quietly(*REFUSED):
        return "AuthenticationResult" in world.sign_in(username, OLD_PASSWORD)
    return False


@pytest.mark.slow
def test_batch_and_trigger_race_for_everybody_and_both_crash(tmp_path):
    """Every user exists once, with the password that the ledger says; no sign-in that went well fails afterwards."""
    world = new_world()
    names = [f"user{number:03}" for number in range(USERS)]
    for name in names:
        world.add_old(name, groups=["staff"])
    functions = Mortal(0.04)
    for part in (world.parts.source, world.parts.target):
        functions.bind(part._client)  # noqa: SLF001 -- where the function's process ends
    world.parts.table = LedgerTable(functions.bind(dynamodb_client()), world.table.name)
    signed_in = set()
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        job = Job(world, inventory)
        job.scan()
        with pytest.raises(KilledError):
            job.run(calls=3)  # everybody is published
        order = random.Random(7)
        visits = order.sample(names * DEVICES, len(names))  # so some come twice, and some never
        with ThreadPoolExecutor(THREADS) as devices:
            results = devices.map(lambda name: (name, use_app(world, name)), visits)
            for _ in range(5):
                with pytest.raises(KilledError):
                    job.run(calls=order.randint(10, 25))
            signed_in |= {name for name, went_well in results if went_well}
        functions.chance = 0
        assert_one_password_each(world, job, names, signed_in)
    assert functions.deaths
    assert signed_in


def assert_one_password_each(world: World, job: Job, names: list[str], signed_in: set[str]) -> None:
    """Let the job end, time pass, and look at everybody."""
    world.local.world.clock.advance(20 * 60)  # every lease has ended, and what Cognito did not create it will not
    job.run()
    assert world.new_users() == names
    persons = {person.username: person for page in world.ledger.persons() for person in page}
    assert Counter(len(person.locks) for person in persons.values()) == {1: USERS}
    for name in names:
        state = persons[name].state
        works = world.signs_in(name, OLD_PASSWORD)
        assert works or name not in signed_in, (name, state)
        if state in {PersonState.CAPTURED, PersonState.PENDING}:
            assert works is (state is PersonState.CAPTURED), (name, state)
        if not works:
            assert world.capture(name, OLD_PASSWORD) == "captured", (name, state)
            assert world.signs_in(name, OLD_PASSWORD)
        assert world.state(persons[name].sub) is PersonState.CAPTURED
