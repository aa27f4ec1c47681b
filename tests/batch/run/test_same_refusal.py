"""One refusal that every user of a run meets, whatever the call: the run ends, and nobody is marked for it."""

from __future__ import annotations

import pytest
from changed import conflicting, verified
from delta_world import Old
from linking import CORP, GOOGLE, add_providers, identities, links_of
from migrating import LEGACY_SUB, World, empty, person, refused

from batch.runtime.same_cause import MOST
from userpool.errors import FatalError

USERS = 40
SUBS = [f"sub-{number:04}" for number in range(USERS)]


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, with two providers."""
    made = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    add_providers(client, made)
    return made


@pytest.fixture
def old(tmp_path, client, pool_id):
    """An old pool of more users than meet one cause in a row; each has a link, and none is in the new pool yet."""
    old = Old(World(tmp_path, client, pool_id), *(person(number) for number in range(USERS)))
    for sub in SUBS:
        old.change(sub, identities=identities(of(GOOGLE, sub)))
    yield old
    empty(client, pool_id)


def of(identity, sub):
    """The identity of one user: no two have the same."""
    return identity._replace(subject=sub)


def changed(old, sub, operation):
    """Change in the old pool what this operation carries over."""
    match operation:
        case "AdminUpdateUserAttributes":
            old.change(sub, nickname="Zoe")
        case "AdminDeleteUserAttributes":
            old.change(sub, email=None, email_verified=None)
        case "AdminLinkProviderForUser":
            old.change(sub, identities=identities(of(GOOGLE, sub), of(CORP, sub)))
        case "AdminDisableProviderForUser":
            old.change(sub, identities=None)
        case "AdminAddUserToGroup":
            old.members.add((sub, "readers"))
        case "AdminDisableUser":
            old.change(sub, enabled=False)


def refuse(world, operation):
    def fails(_attempt, _params):
        raise refused("LimitExceededException")

    world.watched.acts[operation] = fails


@pytest.mark.parametrize(
    "operation",
    [
        *("AdminUpdateUserAttributes", "AdminDeleteUserAttributes", "AdminLinkProviderForUser"),
        *("AdminDisableProviderForUser", "AdminAddUserToGroup", "AdminDisableUser"),
    ],
)
def test_a_change_that_is_refused_to_everybody_ends_the_run(old, operation):
    """25 in a row who are refused one change: one sentence, no conflict and no failure, and a rerun carries it."""
    world = old.world
    old.carry()
    for sub in SUBS:
        changed(old, sub, operation)
    refuse(world, operation)
    with pytest.raises(FatalError, match=f"{MOST} users in a row met this, and {operation} succeeded for nobody"):
        old.carry()
    assert len({str(params) for name, params in world.watched.calls if name == operation}) < USERS
    assert (conflicting(world), world.failures()) == ([], {})
    world.watched.acts.clear()
    old.carry()
    assert (conflicting(world), world.failures(), verified(world)) == ([], {}, ([], []))


def test_a_link_that_is_refused_to_every_new_user_ends_the_run(old):
    """The same for links that are made when a user is created: a rerun makes each once."""
    world = old.world
    refuse(world, "AdminLinkProviderForUser")
    with pytest.raises(FatalError, match="AdminLinkProviderForUser succeeded for nobody"):
        old.carry()
    assert (conflicting(world), world.failures()) == ([], {})
    world.watched.acts.clear()
    old.carry()
    for number in range(USERS):
        assert links_of(world, f"user{number}") == {of(GOOGLE, SUBS[number])}
    assert (conflicting(world), world.failures()) == ([], {})


@pytest.mark.parametrize("operation", ["AdminUpdateUserAttributes", "AdminLinkProviderForUser"])
def test_a_refusal_of_some_is_theirs(old, operation):
    """Where the same call succeeds for others in between, each refusal is that user's, and is listed."""
    world = old.world
    old.carry()
    for sub in SUBS:
        changed(old, sub, operation)

    seen = []

    def fails_for_most(attempt, params):
        if params not in seen:
            seen.append(params)
        if seen.index(params) % 20:
            raise refused("LimitExceededException")
        return attempt()

    world.watched.acts[operation] = fails_for_most
    old.carry(workers=1)
    assert len(conflicting(world)) + len(world.failures()) == USERS - USERS // 20
