from __future__ import annotations

from collections import Counter

import pytest
from migrating import gets_lost, happens_unheard, refused, unanswered
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD
from undoing import LEDGER_READS, WRITES, Moved, PowerCutError

from userpool.errors import FatalError, SettingsError
from userpool.person import PersonState

GROUPS = ["readers", "staff"]
ALL = frozenset(GROUPS)


def scanned(folder, people=3, *, ledger=True):
    """A migration of so many users in two groups, scanned."""
    made = Moved(folder, ledger=ledger)
    made.names = made.people(people, *GROUPS)
    made.scan()
    return made


@pytest.fixture(params=[True, False], ids=["ledger", "alone"])
def moved(request, tmp_path):
    """A migration of three users in two groups, with a ledger and without one, scanned."""
    return scanned(tmp_path, ledger=request.param)


@pytest.fixture
def with_ledger(tmp_path):
    """The same with a ledger."""
    return scanned(tmp_path)


@pytest.fixture
def alone(tmp_path):
    """The same without a ledger."""
    return scanned(tmp_path, ledger=False)


def assert_as_before(moved):
    """The new pool is as empty as before the first run, and so is what the ledger knows."""
    assert (moved.world.new_users(), moved.groups()) == ([], [])
    if moved.with_ledger:
        people = moved.persons()
        assert {person.state for person in people.values()} == {PersonState.KNOWN}
        assert {(person.new_sub, person.token) for person in people.values()} == {(None, None)}
        assert {person.owed for person in people.values()} == {ALL}


def assert_whole(moved, names=None):
    """Everybody is there, once, with all memberships, and nobody has a password."""
    assert moved.memberships() == dict.fromkeys(names or moved.names, ALL)
    assert moved.groups() == GROUPS
    if moved.with_ledger:
        assert moved.states() == {PersonState.PENDING: len(moved.names)}
        subs = moved.subs()
        assert {name: person.new_sub for name, person in moved.persons().items()} == subs


def test_a_complete_run_is_taken_back_and_a_run_brings_everybody_again(moved):
    """Undo leaves the new pool as it was before the run, and the next run everything as the first one did."""
    moved.run()
    first = moved.subs()
    summary = moved.undo()
    assert (summary.undone, summary.left, summary.groups, summary.groups_left) == (3, 0, 2, {})
    assert moved.progress() == {"undone": 3}
    assert_as_before(moved)
    again = moved.run()
    assert (again.created, again.done, again.memberships, again.groups) == (3, 3, 6, 2)
    assert_whole(moved)
    assert not first.items() & moved.subs().items()


def test_a_second_undo_does_nothing(moved):
    """There is nothing left to delete, and no call that would delete is made."""
    moved.run()
    moved.undo()
    moved.watched.calls.clear()
    summary = moved.undo()
    assert (summary.undone, summary.left, summary.gone) == (0, 0, 0)
    assert not WRITES & {name for name, _ in moved.watched.calls}


def test_undo_after_undo_and_run_again(moved):
    """Whoever was created anew is taken back anew."""
    for _ in range(3):
        moved.run()
        assert moved.undo().undone == 3
        assert_as_before(moved)


def test_a_limited_run_is_taken_back(moved):
    """After a run that brought some, undo deletes these and no others, and a run brings all."""
    moved.run(limit=2)
    assert moved.undo().undone == 2
    assert_as_before(moved)
    assert moved.run().created == 3
    assert_whole(moved)


@pytest.mark.parametrize("operation", ["AdminCreateUser", "AdminSetUserPassword", "AdminAddUserToGroup"])
@pytest.mark.parametrize("carried_out", [False, True])
def test_a_killed_run_is_taken_back(moved, operation, carried_out):
    """After a run that was killed at a creation, password or membership, at most the one in doubt is left.

    A run finishes that one, and an undo that is told to takes it back.
    """
    met = []

    def cut(attempt, _params):
        met.append(operation)
        if len(met) < 2:
            return attempt()
        if carried_out:
            attempt()
        raise PowerCutError

    moved.watched.acts[operation] = cut
    with pytest.raises(PowerCutError):
        moved.run(workers=1)
    moved.watched.acts.clear()
    there = moved.subs()
    summary = moved.undo()
    assert len(moved.subs()) == summary.left <= 1
    assert moved.subs().items() <= there.items()
    moved.run()
    assert_whole(moved)
    moved.undo(force_used=True)
    assert moved.world.new_users() == []


def test_who_never_had_a_password_is_taken_back_by_its_marker(moved):
    """A user whose creation was never answered carries the old sub, so undo knows it."""
    moved.watched.acts["AdminCreateUser"] = _dies_after
    with pytest.raises(PowerCutError):
        moved.run(workers=1)
    moved.watched.acts.clear()
    assert len(moved.subs()) == 1
    assert moved.undo().undone == 1
    assert_as_before(moved)
    moved.run()
    assert_whole(moved)


def _dies_after(attempt, _params):
    attempt()
    raise PowerCutError


def test_without_a_marker_who_is_in_doubt_is_left(tmp_path):
    """A user whose creation was never answered and that carries no old sub is left until a run has found out."""
    moved = Moved(tmp_path, ledger=False, marker=False)
    moved.names = moved.people(3)
    moved.scan()
    moved.watched.acts["AdminCreateUser"] = _dies_after
    with pytest.raises(PowerCutError):
        moved.run(workers=1)
    moved.watched.acts.clear()
    assert (moved.undo(force_used=True).left, len(moved.subs())) == (1, 1)
    moved.run()
    assert moved.undo().undone == 3
    assert moved.subs() == {}


def test_the_limit_counts_who_is_taken_back(moved):
    """Users who are left alone do not use up the limit, and the groups stay until the last is done."""
    moved.run()
    _use(moved, min(moved.names, key=lambda name: moved.world.old_user(name).sub))  # whom undo comes to first
    summary = moved.undo(limit=1)
    assert (summary.undone, summary.limited, summary.groups) == (1, True, 0)
    assert len(moved.subs()) == 2
    assert moved.groups() == GROUPS
    rest = moved.undo(limit=2)
    assert (rest.undone, rest.left, rest.limited) == (1, 1, False)
    assert rest.groups_left == dict.fromkeys(GROUPS, "has members (1 or more)")


def _use(moved, name):
    """Let a user choose a password by forgot-password."""
    moved.world.local.world.clock.advance(60)
    moved.world.forget(name)


# Who was used is left alone.


def _captured(moved, name):
    assert moved.world.capture(name, OLD_PASSWORD) == "captured"


def _helpdesk(moved, name):
    moved.in_pool("admin_set_user_password", Username=name, Password=NEW_PASSWORD, Permanent=True)


def _temporary(moved, name):
    moved.in_pool("admin_set_user_password", Username=name, Password=NEW_PASSWORD, Permanent=False)


def _edited(moved, name):
    pairs = [{"Name": "custom:tenant", "Value": "blue"}]
    moved.in_pool("admin_update_user_attributes", Username=name, UserAttributes=pairs)


def _disabled(moved, name):
    moved.in_pool("admin_disable_user", Username=name)


def _promoted(moved, name):
    moved.in_pool("create_group", GroupName="admins")
    moved.in_pool("admin_add_user_to_group", Username=name, GroupName="admins")


def _revoked(moved, name):
    moved.in_pool("admin_remove_user_from_group", Username=name, GroupName="staff")


USES = [_use, _helpdesk, _temporary, _edited, _disabled, _promoted, _revoked]


@pytest.fixture(params=[True, False], ids=["ledger", "alone"])
def used(request, tmp_path):
    """A migration of nine users that has run; the names in `used` are of those since used, each in another way."""
    made = scanned(tmp_path, len(USES) + 2, ledger=request.param)
    made.run()
    made.world.local.world.clock.advance(60)
    made.used = made.names[1:-1]
    for name, use in zip(made.used, USES, strict=True):
        use(made, name)
    return made


def test_who_was_used_or_changed_since_is_left_as_it_is(used):
    """A user with a password of its own, or changed by somebody else, is left alone; all others are taken back."""
    before = {name: vars(used.world.user(name)).copy() for name in used.used}
    summary = used.undo()
    assert (summary.undone, summary.left) == (2, 7)
    assert sorted(used.left) == used.used
    assert used.world.new_users() == used.used
    assert {name: vars(used.world.user(name)) for name in used.used} == before
    assert used.progress() == {"undone": 2, "done": 7}
    assert used.run().created == 2
    assert len(used.subs()) == 9


def test_who_was_used_is_left_whoever_closes_its_case(with_ledger):
    """With a ledger, whoever is captured or reset in it is left alone, and signs in as before."""
    with_ledger.run()
    with_ledger.world.local.world.clock.advance(60)
    uses = {_captured: OLD_PASSWORD, _use: NEW_PASSWORD, _helpdesk: NEW_PASSWORD}
    for name, use in zip(with_ledger.names, uses, strict=True):
        use(with_ledger, name)
    assert with_ledger.undo().left == 3
    for name, password in zip(with_ledger.names, uses.values(), strict=True):
        assert with_ledger.world.signs_in(name, password), name


def test_who_was_used_is_taken_back_when_told(used):
    """--force-used deletes it too; the next run creates it, and no old password is captured any more."""
    summary = used.undo(force_used=True)
    assert (summary.undone, summary.used, summary.left) == (9, 7, 0)
    assert used.world.new_users() == []
    if used.with_ledger:
        people = used.persons()
        found = {name: (people[name].state, people[name].new_sub, people[name].token) for name in used.used}
        assert found == dict.fromkeys(used.used, (PersonState.RESET, None, None))
    used.run()
    assert len(used.subs()) == 9
    for name in used.used:
        assert not used.world.signs_in(name, NEW_PASSWORD), name
        assert not used.world.captures(name, OLD_PASSWORD), name
        used.world.forget(name, "An0ther-Passw0rd!")
        assert used.world.signs_in(name, "An0ther-Passw0rd!"), name


def test_a_membership_taken_away_stays_away(moved):
    """What somebody took away from a user in the new pool is not given again after an undo that was forced."""
    moved.run()
    _revoked(moved, "user002")
    moved.undo(force_used=True)
    moved.run()
    assert moved.memberships() == dict.fromkeys(moved.names, ALL) | {"user002": {"readers"}}


def test_who_is_not_in_the_old_pool_any_more_is_left(moved):
    """A user whom no run could bring back is left alone."""
    moved.run()
    moved.world.delete_old("user002")
    moved.scan()
    assert (moved.undo().left, moved.world.new_users()) == (1, ["user002"])
    assert moved.undo(force_used=True).undone == 1


def test_nobody_is_taken_back_in_the_middle_of_a_scan(alone):
    """While it is not known who is in the old pool, undo begins nothing."""
    alone.run()
    with alone.open() as inventory, inventory.transaction():
        inventory.set_meta("scan_started", 1.0)
    with pytest.raises(SettingsError, match="scan"):
        alone.undo()


# Somebody else was there.


def test_a_user_deleted_by_somebody_else_stays_deleted(moved):
    """Who was deleted in the new pool is not created again by a run after the undo."""
    moved.run()
    moved.in_pool("admin_delete_user", Username="user002")
    summary = moved.undo()
    assert (summary.undone, summary.gone, summary.left) == (2, 1, 0)
    assert moved.progress() == {"undone": 2, "gone": 1}
    moved.run()
    assert "user002" not in moved.world.new_users()


def test_a_user_recreated_by_somebody_else_is_left(moved):
    """Another user under the name, whatever it carries, is somebody else's."""
    moved.run()
    sub = moved.persons()["user002"].sub if moved.with_ledger else "a sub"
    moved.in_pool("admin_delete_user", Username="user002")
    attributes = [{"Name": MARKER, "Value": sub}]
    moved.in_pool("admin_create_user", Username="user002", UserAttributes=attributes, MessageAction="SUPPRESS")
    theirs = moved.subs()["user002"]
    summary = moved.undo(force_used=True)
    assert (summary.undone, summary.gone) == (2, 1)
    assert moved.subs() == {"user002": theirs}
    moved.run()
    assert moved.subs()["user002"] == theirs


@pytest.mark.parametrize("recreated", [False, True])
def test_deleted_by_somebody_else_in_the_very_moment(moved, recreated):
    """Between the look and the deletion, too, only the very user that was made is deleted."""
    moved.run()

    def somebody_else(attempt, params):
        if moved.count("AdminGetUser") == 2:
            moved.in_pool("admin_delete_user", Username=params["Username"])
            if recreated:
                moved.in_pool("admin_create_user", Username=params["Username"], MessageAction="SUPPRESS")
        return attempt()

    moved.watched.calls.clear()
    moved.watched.acts["AdminGetUser"] = somebody_else
    summary = moved.undo(workers=1)
    moved.watched.acts.clear()
    assert (summary.undone, summary.gone, len(moved.subs())) == (2, 1, int(recreated))
    if moved.with_ledger:
        assert moved.states() == {PersonState.KNOWN: 2, PersonState.PENDING: 1}


def test_changed_in_the_very_moment(moved):
    """A user that is given a password between the look and the deletion is left alone, and still pending."""
    moved.run()

    def somebody_else(attempt, params):
        answer = attempt()
        if moved.count("AdminGetUser") == 1:
            moved.world.local.world.clock.advance(1)
            _helpdesk(moved, params["Username"])
        return answer

    moved.watched.calls.clear()
    moved.watched.acts["AdminGetUser"] = somebody_else
    summary = moved.undo(workers=1)
    moved.watched.acts.clear()
    assert (summary.undone, summary.left, len(moved.subs())) == (2, 1, 1)
    assert moved.progress() == {"undone": 2, "done": 1}
    if moved.with_ledger:
        assert moved.states() == {PersonState.KNOWN: 2, PersonState.PENDING: 1}


@pytest.mark.parametrize("before", ["update_item", "AdminDeleteUser"])
def test_captured_in_the_very_moment(with_ledger, before):
    """A capture that begins between the look and the ledger's arrow wins; after the arrow it is refused."""
    moved = with_ledger
    moved.run()
    sub = {person.sub: name for name, person in moved.persons().items()}
    outcomes = []

    def sign_in(attempt, params):
        name = params.get("Username")
        if before == "update_item":
            if ":pending" not in params.get("ExpressionAttributeValues", {}):
                return attempt()
            name = sub[params["Key"]["id"]["S"].removeprefix("person#")]
        if not outcomes:
            outcomes.append(moved.world.captures(name, OLD_PASSWORD))
        return attempt()

    acts = moved.tables.acts if before == "update_item" else moved.watched.acts
    acts[before] = sign_in
    summary = moved.undo(workers=1)
    acts.clear()
    won = before == "update_item"
    assert outcomes == [won]
    assert (summary.undone, summary.left) == ((2, 1) if won else (3, 0))
    assert moved.states() == ({PersonState.KNOWN: 2, PersonState.CAPTURED: 1} if won else {PersonState.KNOWN: 3})


def test_a_password_chosen_in_the_very_moment(with_ledger):
    """Who chooses a password by forgot-password after the ledger's arrow is left alone, as reset."""
    moved = with_ledger
    moved.run()
    chosen = []

    def choose(attempt, params):
        if moved.count("AdminGetUser") == 2:
            chosen.append(params["Username"])
            moved.world.forget(params["Username"])
        return attempt()

    moved.watched.calls.clear()
    moved.watched.acts["AdminGetUser"] = choose
    summary = moved.undo(workers=1)
    moved.watched.acts.clear()
    assert (summary.undone, summary.left) == (2, 1)
    assert moved.world.signs_in(chosen[0], NEW_PASSWORD)
    assert moved.states() == {PersonState.KNOWN: 2, PersonState.RESET: 1}


# Groups.


def test_a_group_that_was_there_before_stays(moved):
    """A group that this migration did not make is not deleted, though nobody is in it."""
    moved.in_pool("create_group", GroupName="staff", Description="The new team's")
    moved.run()
    assert moved.undo().groups == 1
    assert moved.groups() == ["staff"]


def test_a_group_with_somebody_else_in_it_stays(moved):
    """A group that the new team uses, or has changed, is left, with the reason, and is deleted when that is over."""
    moved.run()
    moved.in_pool("admin_create_user", Username="theirs", MessageAction="SUPPRESS")
    moved.in_pool("admin_add_user_to_group", Username="theirs", GroupName="staff")
    moved.in_pool("update_group", GroupName="readers", Description="Changed")
    summary = moved.undo()
    assert summary.groups_left == {
        "readers": "was changed since, here or in the old pool",
        "staff": "has members (1 or more)",
    }
    assert moved.world.new_users() == ["theirs"]
    moved.in_pool("admin_delete_user", Username="theirs")
    assert moved.undo(force_used=True).groups == 2
    assert moved.groups() == []


def test_a_group_that_somebody_deleted_is_forgotten(moved):
    """A group that is not there any more is nothing to delete, and a run makes it again."""
    moved.run()
    moved.undo(limit=2)
    moved.in_pool("delete_group", GroupName="staff")
    assert moved.undo(force_used=True).groups == 1
    moved.run()
    assert_whole_but_for_states(moved)


def assert_whole_but_for_states(moved):
    assert moved.memberships() == dict.fromkeys(moved.names, ALL) | _without_revoked(moved)


def _without_revoked(moved):
    """Whoever was in the group that somebody deleted is not given it again."""
    return {name: groups for name, groups in moved.memberships().items() if groups == {"readers"}}


def test_a_listing_that_lags_behind_keeps_no_group(moved):
    """Members that the listing still shows after they were taken back do not keep a group."""
    moved.run()
    shown = moved.in_pool("list_users_in_group", GroupName="staff")
    moved.watched.acts["ListUsersInGroup"] = lambda _attempt, _params: shown
    assert moved.undo().groups == 2


# Dry run.


def test_a_dry_run_changes_nothing_and_says_what_would_be(moved):
    """It makes reading calls alone, to the pool and the ledger, and the file and everything else stay as they are."""
    moved.run()
    _use(moved, "user002")
    moved.in_pool("admin_delete_user", Username="user001")
    before, state = moved.world.everything(), dump(moved)
    moved.watched.calls.clear()
    summary = moved.undo(dry_run=True)
    assert (summary.undone, summary.left, summary.gone, summary.groups) == (1, 1, 1, 2)
    called = {name for name, _ in moved.watched.calls}
    assert called <= {"AdminGetUser", "AdminListGroupsForUser", *LEDGER_READS}
    assert (moved.world.everything(), dump(moved)) == (before, state)
    assert moved.undo(dry_run=True, force_used=True).undone == 2
    done = moved.undo()
    assert (done.undone, done.left, done.gone) == (summary.undone, summary.left, summary.gone)


def dump(moved):
    """Everything in the inventory."""
    with moved.open() as inventory:
        names = [name for (name,) in inventory.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: inventory.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608 -- its own


# Calls without an answer, and other mishaps.


@pytest.mark.parametrize("how", [gets_lost, happens_unheard])
def test_unheard_deletions(moved, how):
    """A deletion without an answer is looked into, and not repeated blindly."""
    moved.run()
    once = {}

    def first_time(attempt, params):
        return attempt() if once.setdefault(params["Username"], attempt) is not attempt else how(attempt, params)

    moved.watched.acts["AdminDeleteUser"] = first_time
    assert moved.undo().undone == 3
    assert_as_before(moved)


def test_a_user_recreated_after_an_unheard_deletion_is_left(moved):
    """The name of a user whose deletion was not answered may be somebody else's when it is looked at again."""
    moved.run()
    theirs = {}

    def recreated(attempt, params):
        attempt()
        theirs[params["Username"]] = moved.in_pool(
            "admin_create_user", Username=params["Username"], MessageAction="SUPPRESS"
        )["User"]["Username"]
        raise unanswered()

    moved.watched.acts["AdminDeleteUser"] = recreated
    assert moved.undo().undone == 3
    assert sorted(theirs) == moved.world.new_users() == moved.names


def test_who_cannot_be_deleted_is_reported_and_a_rerun_tries_again(moved):
    """One user's failure stops nobody else; a run passes over the user, and the next undo takes it up."""
    moved.run()

    def fails(attempt, params):
        if params["Username"] == "user002":
            raise refused("InvalidParameterException")
        return attempt()

    moved.watched.acts["AdminDeleteUser"] = fails
    summary = moved.undo()
    moved.watched.acts.clear()
    assert (summary.undone, summary.failed, list(moved.failed)) == (2, 1, ["user002"])
    there = moved.subs()
    assert moved.run().created == 2
    assert moved.failures() == {"user002": "undoing"}
    assert moved.subs().items() >= there.items()
    assert moved.undo().undone == 3
    assert_as_before(moved)


def test_access_denied_ends_the_undo(moved):
    """Credentials that may not delete end it at once, with the remedy, and nobody is lost."""
    moved.run()
    moved.watched.acts["AdminDeleteUser"] = lambda _attempt, _params: (_ for _ in ()).throw(
        refused("AccessDeniedException")
    )
    with pytest.raises(FatalError, match="AdminDeleteUser"):
        moved.undo()
    moved.watched.acts.clear()
    assert len(moved.subs()) == 3
    assert moved.undo().undone == 3
    assert_as_before(moved)


@pytest.mark.slow
@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("ledger", [True, False])
def test_killed_at_any_call_a_rerun_ends_like_an_undisturbed_undo(tmp_path, carried_out, ledger):
    """Whichever call to Cognito or the ledger is the last, a rerun leaves everything as one undo would have."""
    moved = scanned(tmp_path, 2, ledger=ledger)
    moved.run()
    _use(moved, "user001")
    again = moved.keep()
    for survived in range(carried_out, 200, 3):  # every third call, before it or after it
        again()
        theirs = vars(moved.world.user("user001")).copy()
        live = moved.die_after(survived, carried_out=carried_out)
        try:
            moved.undo(workers=1)
        except PowerCutError:
            live()
        else:
            break
        moved.undo()
        assert moved.world.new_users() == ["user001"]
        assert vars(moved.world.user("user001")) == theirs
        assert moved.progress() == {"undone": 1, "done": 1}
        if ledger:
            assert moved.states() == {PersonState.KNOWN: 1, PersonState.RESET: 1}
        moved.run()
        assert moved.memberships() == dict.fromkeys(moved.names, ALL)
        if ledger:
            assert moved.states() == {PersonState.PENDING: 1, PersonState.RESET: 1}
    assert survived > 6


@pytest.mark.slow
@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_at_any_call_a_forced_undo_revives_no_old_password(tmp_path, carried_out):
    """However often it is killed, who had been captured is reset in the end, and its old password is dead."""
    moved = scanned(tmp_path, 2)
    moved.run()
    _captured(moved, "user001")
    again = moved.keep()
    for survived in range(carried_out, 200, 3):  # every third call, before it or after it
        again()
        live = moved.die_after(survived, carried_out=carried_out)
        try:
            moved.undo(workers=1, force_used=True)
        except PowerCutError:
            live()
        else:
            break
        moved.undo(force_used=True)
        assert moved.world.new_users() == []
        moved.run()
        assert moved.memberships() == dict.fromkeys(moved.names, ALL)
        assert not moved.world.signs_in("user001", OLD_PASSWORD)
        assert not moved.world.captures("user001", OLD_PASSWORD)
        assert moved.world.captures("user000", OLD_PASSWORD)
    assert survived > 8


def test_a_run_in_the_middle_of_an_undo_passes_over_who_is_being_taken_back(moved):
    """After a killed undo a run creates who is gone, touches nobody else, and the undo can be ended later."""
    moved.run()

    def cut(attempt, _params):
        answer = attempt()
        if moved.count("AdminDeleteUser") == 2:
            raise PowerCutError
        return answer

    moved.watched.acts["AdminDeleteUser"] = cut
    with pytest.raises(PowerCutError):
        moved.undo(workers=1)
    moved.watched.acts.clear()
    assert moved.run().created == 1
    assert list(moved.failures().values()) == ["undoing"]
    assert moved.undo().undone == 3
    assert_as_before(moved)


# The ledger.


def test_a_quarter_captured(tmp_path):
    """Undo takes back those whom nobody used, a run brings them again, and everybody's password is what it was."""
    moved = scanned(tmp_path, 12)
    captured = set(moved.names[::4])
    moved.run()
    for name in captured:
        _captured(moved, name)
    kept = {name: sub for name, sub in moved.subs().items() if name in captured}
    summary = moved.undo()
    assert (summary.undone, summary.left, summary.gone, summary.failed) == (9, 3, 0, 0)
    assert moved.subs() == kept
    assert moved.states() == {PersonState.KNOWN: 9, PersonState.CAPTURED: 3}
    assert moved.run().created == 9
    assert moved.subs().items() >= kept.items()
    assert moved.memberships() == dict.fromkeys(moved.names, ALL)
    works = {name for name in moved.names if moved.world.signs_in(name, OLD_PASSWORD)}
    assert works == captured
    assert moved.states() == {PersonState.PENDING: 9, PersonState.CAPTURED: 3}
    for name in sorted(set(moved.names) - captured)[:3]:
        assert not moved.world.captures(name, WRONG_PASSWORD)
        assert moved.world.captures(name, OLD_PASSWORD)


def test_captured_users_taken_back_as_well(tmp_path):
    """When told to take back the used, too, a run brings all, and their old passwords are dead for good."""
    moved = Moved(tmp_path)
    moved.names = moved.people(12)
    captured = set(moved.names[::4])
    moved.scan()
    moved.run()
    for name in captured:
        _captured(moved, name)
    summary = moved.undo(force_used=True)
    assert (summary.undone, summary.used, summary.left) == (12, 3, 0)
    assert moved.states() == {PersonState.KNOWN: 9, PersonState.RESET: 3}
    for name in sorted(captured):  # by UserMigration, while nobody is there
        assert not moved.world.signs_in(name, OLD_PASSWORD)
    assert moved.run().created == 12
    assert moved.states() == {PersonState.PENDING: 9, PersonState.RESET: 3}
    tried = Counter((name in captured, moved.world.captures(name, OLD_PASSWORD)) for name in moved.names)
    assert tried == {(True, False): 3, (False, True): 9}


def test_between_undo_and_run_users_migrate_by_their_own_sign_in(with_ledger):
    """Whoever was taken back unused is known again: UserMigration lets it in, and a run leaves it alone."""
    with_ledger.run()
    with_ledger.undo()
    assert with_ledger.world.signs_in("user002", OLD_PASSWORD)
    assert with_ledger.states() == {PersonState.KNOWN: 2, PersonState.CAPTURED: 1}
    assert with_ledger.run().created == 2
    assert with_ledger.world.signs_in("user002", OLD_PASSWORD)
    assert with_ledger.memberships() == dict.fromkeys(with_ledger.names, ALL)
    assert with_ledger.undo().left == 1


def test_what_changed_in_the_old_pool_meanwhile_is_published(with_ledger):
    """After undo, scan and run, the ledger and the new pool have what the old pool is now."""
    with_ledger.run()
    with_ledger.undo()
    with_ledger.world.cognito.admin_remove_user_from_group(
        UserPoolId=with_ledger.world.old_id, Username="user002", GroupName="staff"
    )
    with_ledger.world.delete_old("user001")
    with_ledger.scan()
    with_ledger.run()
    assert with_ledger.memberships()["user002"] == {"readers"}
    assert with_ledger.persons()[""].reason == "departed"


def test_a_used_user_is_reset_in_a_ledger_added_later(alone):
    """Without a ledger nobody knows whose password was whose, so who was used and taken back is published as reset."""
    alone.run()
    _use(alone, "user002")
    alone.undo(force_used=True)
    alone.with_ledger = True
    alone.run()
    states = {name: person.state for name, person in alone.persons().items()}
    assert states.pop("user002") is PersonState.RESET
    assert Counter(states.values()) == {PersonState.PENDING: 2}
    assert not alone.world.captures("user002", OLD_PASSWORD)


def test_another_ledger_is_refused(with_ledger):
    """A table that is not the one of the last run cannot tell who has been used, so nobody is deleted."""
    with_ledger.run()
    with with_ledger.open() as inventory, inventory.transaction():
        inventory.set_meta("published_to", "another table")
    with pytest.raises(SettingsError, match="cognito-migrate run"):
        with_ledger.undo()
    assert with_ledger.count("AdminDeleteUser") == 0


def test_a_finished_migration_is_refused(with_ledger):
    """After the cut-over the old pool may be gone, so nothing is taken back."""
    with_ledger.run()
    with_ledger.world.save_terms(finished=True)
    with pytest.raises(SettingsError, match="finished"):
        with_ledger.undo()
    assert with_ledger.count("AdminDeleteUser") == 0


def test_somebody_elses_marker_is_left(moved):
    """A user of the recorded sub that does not carry the old sub is left alone, whatever undo is told."""
    moved.run()
    moved.world.user("user002").attributes[MARKER] = "another"
    assert moved.undo(force_used=True).left == 1
    assert moved.world.new_users() == ["user002"]


def test_quiet_calls(moved):
    """Each user costs two looks, a look at its groups and a deletion, and nothing else of the pool."""
    moved.run()
    moved.watched.calls.clear()
    moved.undo()
    counted = Counter(name for name, _ in moved.watched.calls if not name.startswith("ledger"))
    assert counted == {
        "AdminGetUser": 6,
        "AdminListGroupsForUser": 3,
        "AdminDeleteUser": 3,
        "ListGroups": 1,
        "ListUsersInGroup": 2,
        "DeleteGroup": 2,
    }


@pytest.mark.parametrize("operation", ["AdminDeleteUser", "AdminGetUser"])
def test_a_refusal_of_everybody_ends_the_undo(tmp_path, operation):
    """After 25 equal refusals nobody else is tried, nobody counts as failed, and a rerun takes everybody back."""
    moved = scanned(tmp_path, 40, ledger=False)
    moved.run()

    def fails(_attempt, _params):
        raise refused("LimitExceededException")

    moved.watched.acts[operation] = fails
    moved.watched.calls.clear()
    with pytest.raises(FatalError, match="concerns everybody"):
        moved.undo()
    assert 25 <= moved.watched.count(operation) < 40
    moved.watched.acts.clear()
    assert moved.undo().undone == 40
