from __future__ import annotations

import threading
from io import StringIO

import pytest
from migrating import FINGERPRINT, Watched, refused

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.scan.scan import RefusedScanError, Scan
from batch.scan.shards import in_shards
from userpool.errors import FatalError
from userpool.pool import UserPool

DIGITS = "0123456789abcdef"
USERS = 700  # more than the sample, and not so many that the checks are lenient


@pytest.fixture(scope="module")
def pool_id(client):
    """A pool that only its last users are deleted from."""
    made = client.create_user_pool(PoolName="old", UsernameConfiguration={"CaseSensitive": True})["UserPool"]["Id"]
    for number in range(USERS):
        client.admin_create_user(UserPoolId=made, Username=f"user{number:03}", MessageAction="SUPPRESS")
    return made


class Old:
    """An old pool whose listings are done to as a test says, and the inventory it is scanned into."""

    def __init__(self, folder, client, pool_id) -> None:
        self.path = folder / "migration.db"
        self.watched = Watched(client)
        self.pool = UserPool(self.watched, pool_id)
        self.said: list[str] = []
        self.users = {user.username: user for page in UserPool(client, pool_id).users() for user in page}

    def scan(self, listing="shards", *, estimated=0, accept=lambda _before, _users: None, stop=None, workers=16):
        """Scan, and return the names of who was found."""
        self.watched.calls.clear()
        self.said.clear()
        with self.inventory() as inventory:
            scan = Scan(
                self.pool,
                inventory,
                workers=workers,
                stop=stop or threading.Event(),
                progress=ProgressBars(quiet=True, out=StringIO()),
                listing=listing,
                say=self.said.append,
            )
            scan.run(lambda _users, _pages: "group", expected_users=estimated, accept=accept)
            return {user.username for user in Snapshot(inventory).users()}

    def inventory(self) -> Inventory:
        """Open the inventory."""
        return Inventory.open(self.path, FINGERPRINT, create=True)

    @property
    def filters(self) -> set[str]:
        """By what the last scan filtered."""
        return {params["Filter"] for name, params in self.watched.calls if name == "ListUsers" and "Filter" in params}

    @property
    def in_sequence(self) -> int:
        """How many pages the last scan read without a filter."""
        return sum(name == "ListUsers" and "Filter" not in params for name, params in self.watched.calls)

    def shards(self, act) -> None:
        """Let filtered pages be answered as `act(attempt, params)` does."""
        self.watched.acts["ListUsers"] = lambda attempt, params: (
            act(attempt, params) if "Filter" in params else attempt()
        )

    def hide(self, *subs, everywhere=False) -> None:
        """Let shards, or all listings, leave out users."""

        def without(attempt, _params):
            answer = attempt()
            return answer | {"Users": [user for user in answer["Users"] if _sub(user) not in subs]}

        if everywhere:
            self.watched.acts["ListUsers"] = without
        else:
            self.shards(without)


def _sub(user) -> str:
    return next(pair["Value"] for pair in user["Attributes"] if pair["Name"] == "sub")


@pytest.fixture
def old(tmp_path, client, pool_id):
    """The old pool, with nothing scanned."""
    return Old(tmp_path, client, pool_id)


def the_last(old, count):
    """The subs of users that the sample has not."""
    return [user.sub for user in list(old.users.values())[-count:]]


def test_sixteen_shards_find_everybody(old):
    """Listed by the first digit of their sub, all users are found, as a listing in sequence finds them."""
    assert old.scan(estimated=USERS) == set(old.users)
    assert old.filters == {f'sub ^= "{digit}"' for digit in DIGITS}
    assert old.in_sequence == 10  # the sample
    assert old.said == []
    with old.inventory() as inventory:
        assert {user.username: user for user in Snapshot(inventory).users()} == old.users


def test_few_workers_list_all_shards(old):
    """With fewer workers than shards, one shard is listed after the other."""
    assert old.scan(workers=3) == set(old.users)
    assert len(old.filters) == 16


@pytest.mark.parametrize(
    ("listing", "before", "shards"),
    [
        ("shards", 0, True),
        ("sequential", 1_000_000, False),
        ("auto", 0, False),
        ("auto", 19_999, False),
        ("auto", 20_000, True),
    ],
)
def test_by_itself_only_a_large_pool_that_is_known_is_listed_in_shards(listing, before, shards):
    """Unless told otherwise, shards are for a large pool, whose users an earlier scan knows to compare them with."""
    assert in_shards(listing, before) == shards


def test_a_small_pool_is_listed_in_sequence(old):
    """By itself a scan of a small pool asks for no filter."""
    assert old.scan("auto") == set(old.users)
    assert old.filters == set()
    assert old.said == []


@pytest.mark.parametrize("code", ["InvalidParameterException", "SomethingNewException"])
def test_a_refused_filter_is_no_end(old, code):
    """Where Cognito refuses the filter, the users are listed in sequence, and that is said once."""

    def refuses(_attempt, _params):
        raise refused(code)

    old.shards(refuses)
    assert old.scan(estimated=USERS) == set(old.users)
    (said,) = old.said
    assert code in said
    assert "listing: sequential" in said
    assert len(old.filters) == len([1 for _, params in old.watched.calls if "Filter" in params])  # none twice


def test_a_shard_that_is_not_answered_to_the_end_is_no_end(old):
    """Where page tokens of a shard are never good, the users are listed in sequence."""

    def expired(attempt, params):
        if "PaginationToken" in params:
            raise refused("InvalidParameterException")
        answer = attempt()
        return answer if "PaginationToken" in answer else answer | {"PaginationToken": "x"}

    old.shards(expired)
    assert old.scan() == set(old.users)
    assert len(old.said) == 1


def test_page_tokens_that_die_begin_that_shard_anew(old):
    """When the token of a shard dies, only that shard is listed again, and everything is found in shards."""
    died = set()

    def dies_once(attempt, params):
        if "PaginationToken" in params and params["Filter"] not in died:
            died.add(params["Filter"])
            raise refused("InvalidParameterException")
        # Pages of ten, so that a shard has more than one.
        return old.watched.client.list_users(**params | {"Limit": 10})

    old.shards(dies_once)
    assert old.scan() == set(old.users)
    assert len(died) == 16
    assert old.said == []


@pytest.mark.parametrize("digits", ["7", DIGITS])
def test_a_filter_that_silently_lacks_much_is_noticed_by_the_sample(old, digits):
    """Where shards are listed as empty, users that a listing in sequence shows are missed, and it decides."""

    def empty(attempt, params):
        return {"Users": []} if params["Filter"][-2] in digits else attempt()

    old.shards(empty)
    assert old.scan() == set(old.users)
    assert len(old.said) == 1


def test_a_filter_that_silently_lacks_a_user_is_noticed_by_the_estimate(old):
    """Fewer users than Cognito estimates are not the whole pool."""
    old.hide(*the_last(old, 1))
    assert old.scan(estimated=USERS) == set(old.users)
    (said,) = old.said
    assert f"lists {USERS - 1} users" in said


def test_more_users_than_estimated_are_no_trouble(old):
    """An estimate that is too low changes nothing."""
    assert old.scan(estimated=USERS // 2) == set(old.users)
    assert old.said == []


def test_a_filter_that_lacks_a_user_of_the_last_scan_is_noticed(old):
    """Nobody of the last scan is gone by the shards' word: who is still there shows that they are not whole."""
    old.scan("sequential")
    old.hide(*the_last(old, 1))
    assert old.scan() == set(old.users)
    assert len(old.said) == 1
    assert old.watched.count("AdminGetUser") == 1


def test_a_user_who_is_gone_is_gone(old, client, pool_id):
    """A user of the last scan who is not in the pool any more does not spoil the shards."""
    client.admin_create_user(UserPoolId=pool_id, Username="brief", MessageAction="SUPPRESS")
    old.scan("sequential")
    client.admin_delete_user(UserPoolId=pool_id, Username="brief")
    assert old.scan() == set(old.users)
    assert old.said == []
    old.watched.acts.clear()
    assert old.scan() == set(old.users)
    assert old.watched.count("AdminGetUser") == 0  # known to be gone by now


def test_a_name_that_somebody_else_has_now_is_not_the_user(old, client, pool_id):
    """A user who was deleted and made again under the same name is another one, and does not spoil the shards."""
    for _ in range(2):
        client.admin_create_user(UserPoolId=pool_id, Username="brief", MessageAction="SUPPRESS")
        found = old.scan("shards")
        assert found == {*old.users, "brief"}
        assert old.said == []
        client.admin_delete_user(UserPoolId=pool_id, Username="brief")


def test_many_missing_users_are_decided_by_a_listing_in_sequence(old):
    """Where over a hundred users of the last scan are missing, none is asked for: a listing in sequence decides."""
    old.scan("sequential")
    gone = the_last(old, 150)
    old.hide(*gone, everywhere=True)
    assert len(old.scan()) == USERS - 150
    assert old.watched.count("AdminGetUser") == 0
    assert "over 100" in old.said[0]


def test_a_scan_that_was_never_accepted_hides_nobody(old):
    """Stopped while it lists the users, and long ago, a scan does not take the place of the last one in the checks."""
    old.scan("sequential")
    stop = threading.Event()

    def stops(attempt, _params):
        stop.set()
        return attempt()

    old.shards(stops)
    with pytest.raises(StoppedError):
        old.scan(stop=stop)
    with old.inventory() as inventory, inventory.transaction():
        inventory.set_meta("scan_started", 0)
    old.hide(*the_last(old, 1))
    assert old.scan() == set(old.users)
    assert len(old.said) == 1


def test_without_leave_to_ask_nobody_is_taken_as_gone(old):
    """Where AdminGetUser is not allowed on the old pool, who is missing makes the listing go on in sequence."""

    def denied(_attempt, _params):
        raise refused("AccessDeniedException")

    old.scan("sequential")
    old.hide(*the_last(old, 1))
    old.watched.acts["AdminGetUser"] = denied
    assert old.scan() == set(old.users)
    assert "cognito-idp:AdminGetUser" in old.said[0]


def test_a_filter_that_filters_nothing_is_noticed_at_once(old):
    """Where the filter is ignored, the whole pool is not read sixteen times."""
    old.shards(lambda _attempt, params: old.watched.client.list_users(**{**params, "Filter": ""}))
    assert old.scan() == set(old.users)
    assert "other shards" in old.said[0]
    assert len([1 for _, params in old.watched.calls if "Filter" in params]) <= 2 * 16


def test_shards_that_were_given_up_leave_no_trace(old):
    """Who is listed by shards that were given up, and not in sequence, is not in the inventory."""
    (victim,) = the_last(old, 1)
    empty = "7" if victim[0] != "7" else "8"

    def act(attempt, params):
        answer = attempt()
        if "Filter" in params:
            return answer | {"Users": []} if params["Filter"][-2] == empty else answer
        return answer | {"Users": [user for user in answer["Users"] if _sub(user) != victim]}

    old.watched.acts["ListUsers"] = act
    found = old.scan()
    assert len(found) == USERS - 1
    with old.inventory() as inventory:
        assert inventory.number("SELECT count(*) FROM users WHERE sub = ?", (victim,)) == 0


def test_shards_that_are_refused_leave_the_last_scan(old):
    """If how many users there are is not accepted, the last scan stands, listed in shards or not."""
    old.scan("sequential")

    def never(_before, _users):
        raise RefusedScanError("no")

    with pytest.raises(RefusedScanError):
        old.scan(accept=never)
    assert old.in_sequence == 10  # what is not accepted is not listed again
    with old.inventory() as inventory:
        Snapshot(inventory).require_complete()
        assert Snapshot(inventory).count("users") == USERS


def test_shards_can_be_stopped(old):
    """A stop ends all shards at their next page, and nothing counts as scanned."""
    stop = threading.Event()

    def stops(attempt, _params):
        stop.set()
        return attempt()

    old.shards(stops)
    with pytest.raises(StoppedError, match="cognito-migrate scan"):
        old.scan(stop=stop)
    assert len([1 for _, params in old.watched.calls if "Filter" in params]) <= 16
    with old.inventory() as inventory:
        assert inventory.number("SELECT count(*) FROM users") == 0


def test_what_concerns_everybody_ends_the_scan_in_shards_too(old):
    """A denied call is no matter of filters: it ends the scan, and the other shards at their next page."""

    def denied(attempt, params):
        if params["Filter"][-2] == "3":
            raise refused("AccessDeniedException")
        return attempt()

    old.shards(denied)
    with pytest.raises(FatalError, match="cognito-idp:ListUsers"):
        old.scan()
    assert old.said == []
