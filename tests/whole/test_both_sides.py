"""The batch job and the function of the new pool, on one migration from the scan to the last rerun."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import Job
from triggering import NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world, token_groups

from batch.inventory.inventory import Inventory
from batch.lambda_trigger.package import build
from batch.settings.decisions import Decision
from userpool.person import PersonState

BOBS = "B0bs-0wn-Passw0rd!"


@contextmanager
def begun(world, folder):
    """The job of a migration, whose old pool is scanned."""
    with Inventory.open(folder / "migration.db", {}, create=True) as inventory:
        job = Job(world, inventory)
        job.scan()
        yield job


@pytest.mark.parametrize("first", ["Bob", "bob"])
@pytest.mark.parametrize("kind", ["plain", "alias", "email"])
def test_of_two_who_differ_in_case_neither_takes_the_name_before_a_person_decides(tmp_path, kind, first):
    """Whoever signs in, signs up or forgets the password first, nobody is created; then the one chosen is captured."""
    world = new_world(kind)
    domain = "" if kind == "plain" else "@x.com"
    names = {name: f"{name}{domain}" for name in ("Bob", "bob")}
    chosen = world.add_old(names["Bob"], {"email": "Bob@x.com", "email_verified": "true"}, password=OLD_PASSWORD)
    other = world.add_old(
        names["bob"], {"email": "bob@x.com" if domain else "b@x.com", "email_verified": "true"}, password=BOBS
    )
    with begun(world, tmp_path) as job:
        job.run()
        assert not world.signs_in(names[first], OLD_PASSWORD if first == "Bob" else BOBS)
        assert not world.signs_in(names["Bob"], BOBS)
        assert (world.new_users(), world.state(chosen), world.state(other)) == ([], PersonState.HELD, PersonState.HELD)
        job.run(decisions={names["Bob"]: Decision("create"), names["bob"]: Decision("skip")})
        assert (world.state(chosen), world.state(other)) == (PersonState.PENDING, PersonState.HELD)
        assert world.capture(names["bob"], BOBS) == "wrong"
        assert world.capture(names["bob"], OLD_PASSWORD) == "captured"
        assert world.signs_in(names["bob"], OLD_PASSWORD)
        assert len(world.new_users()) == 1


def test_what_the_new_pool_took_back_stays_taken_back(tmp_path):
    """A membership revoked there, and a user deleted there, do not come back by ten sign-ins and two reruns."""
    world = new_world()
    gone = world.add_old("gone", groups=["staff"])
    for name in ("ahead", "late"):
        world.add_old(name, groups=["staff", "admins"])
    with begun(world, tmp_path) as job:
        assert world.signs_in("late", OLD_PASSWORD) is False  # nothing is published yet
        job.run()
        for name in ("ahead", "gone"):
            assert world.capture(name, OLD_PASSWORD) == "captured"
        assert set(token_groups(world.sign_in("ahead", OLD_PASSWORD))) == {"admins", "staff"}
        world.cognito.admin_remove_user_from_group(UserPoolId=world.new_id, Username="ahead", GroupName="admins")
        world.cognito.admin_delete_user(UserPoolId=world.new_id, Username="gone")
        for _ in range(2):
            for _ in range(5):
                assert token_groups(world.sign_in("ahead", OLD_PASSWORD)) == ["staff"]
                assert not world.signs_in("gone", OLD_PASSWORD)
            job.scan()
            job.run()
        assert world.capture("gone", OLD_PASSWORD) == "wrong"
    assert world.new_groups("ahead") == {"staff"}
    assert "gone" not in world.new_users()
    assert world.state(gone) is PersonState.CAPTURED


def test_a_membership_of_a_user_who_came_by_sign_in_ends_with_that_of_the_old_pool(tmp_path):
    """Given with the first token of a user whom UserMigration created, a membership that the old pool ends is ended."""
    world = new_world()
    world.add_old("late", groups=["staff"])
    with begun(world, tmp_path) as job:
        world.publish()
        assert token_groups(world.sign_in("late", OLD_PASSWORD)) == ["staff"]
        job.run()
        world.cognito.admin_remove_user_from_group(UserPoolId=world.old_id, Username="late", GroupName="staff")
        job.scan()
        assert job.run().conflicts == []
    assert world.new_groups("late") == set()


def test_a_user_who_came_by_sign_in_and_was_disabled_before_the_scan_is_disabled(tmp_path):
    """UserMigration creates nobody who is disabled, so a ban of the old pool since then is one to carry over."""
    world = new_world()
    world.add_old("late", groups=["staff"])
    with begun(world, tmp_path) as job:
        world.publish()
        assert world.signs_in("late", OLD_PASSWORD)
        world.cognito.admin_disable_user(UserPoolId=world.old_id, Username="late")
        for _ in range(2):
            job.scan()
            job.run()
    assert not world.new_user("late")["Enabled"]
    assert not world.signs_in("late", OLD_PASSWORD)


def test_no_password_is_left_anywhere(tmp_path, capfd, caplog):
    """After captures, migrations, resets and failures no file, table, report, log or zip holds a password."""
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "moto")  # the stand-in's own
    world = new_world()
    names = [f"user{number}" for number in range(6)]
    for name in names:
        world.add_old(name, groups=["staff"])
    with begun(world, tmp_path) as job:
        summary = job.run()
        assert world.capture(names[0], OLD_PASSWORD) == "captured"
        assert world.capture(names[1], WRONG_PASSWORD) == "wrong"
        world.forget(names[2], NEW_PASSWORD)
        world.cognito.admin_delete_user(UserPoolId=world.new_id, Username=names[3])
        assert not world.signs_in(names[3], OLD_PASSWORD)
        job.scan()
        again = job.run()
    said = capfd.readouterr()
    everything = [said.out, said.err, caplog.text, json.dumps([asdict(summary), asdict(again)]), json.dumps(world.log)]
    everything += [str(list(world.table.items(""))), build().content]
    everything += [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    passwords = [OLD_PASSWORD, WRONG_PASSWORD, NEW_PASSWORD]
    texts = [one.encode() if isinstance(one, str) else one for one in everything]
    assert [secret for secret in passwords for text in texts if secret.encode() in text] == []
    assert any(b"user0" in text for text in texts)


@pytest.mark.parametrize(("kind", "name"), [("alias", "bob"), ("alias", "bob@x.com"), ("email", "bob@x.com")])
def test_a_name_typed_in_another_case_is_settled(tmp_path, kind, name):
    """Who first signs in with the address in another case is told as that, loses nothing, and is followed later."""
    world = new_world(kind)
    world.add_old(name, {"email": "bob@x.com", "email_verified": "true"}, groups=["staff"])
    world.add_old("eve@x.com", {"email": "eve@x.com", "email_verified": "true"})
    with begun(world, tmp_path) as job:
        world.publish()
        assert world.signs_in("Bob@X.com", OLD_PASSWORD)
        summary = job.run()
        assert (summary.came, summary.found, summary.created, summary.conflicts) == (1, 0, 1, [])
        for _ in range(2):
            job.scan()
            again = job.run()
            assert (again.came, again.updated, again.conflicts) == (0, 0, [])
        world.update_old(name, email="bobby@x.com", email_verified="true", nickname="Bo")
        job.scan()
        last = job.run()
        # A user name that is an address, and an alias in the new pool, stays the one that its user signs in with.
        follows = (kind, name) != ("alias", "bob@x.com")
        assert (last.updated, last.conflicts) == (follows, [])
        assert world.signs_in("bobby@x.com" if follows else "bob@x.com", OLD_PASSWORD)


def test_a_membership_that_the_new_pool_gave_before_the_token_is_its_own(tmp_path):
    """Owed by the run, given by an administrator and then found by the token, it stays when the old pool ends it."""
    world = new_world()
    sub = world.add_old("early", groups=["staff"])
    with begun(world, tmp_path) as job:
        job.run()
        world.put(sub, PersonState.PENDING, new_sub=world.user("early").sub, owed=frozenset({"admins"}))
        world.cognito.create_group(UserPoolId=world.new_id, GroupName="admins")
        world.cognito.admin_add_user_to_group(UserPoolId=world.new_id, Username="early", GroupName="admins")
        assert world.capture("early", OLD_PASSWORD) == "captured"
        assert sorted(token_groups(world.sign_in("early", OLD_PASSWORD))) == ["admins", "staff"]
    person = world.ledger.person(sub)
    assert (person.owed, person.given) == (frozenset(), frozenset())


EDITS = st.lists(
    st.tuples(st.sampled_from(["old", "new", "sign in", "run"]), st.booleans()),
    max_size=9,
)


@dataclass
class Membership:
    """What becomes of a membership by the rules: `ours` was given by this migration, `theirs` by the new pool alone."""

    there: bool = False
    ours: bool = False
    applied: bool = False
    theirs: bool = False

    def created(self, *, wanted: bool) -> None:
        """Be given to a user that the migration creates."""
        self.there = self.ours = self.applied = wanted

    def carried(self, *, wanted: bool) -> None:
        """Follow the old pool, unless the new pool came to the same by itself."""
        changed, self.applied = wanted != self.applied, wanted
        if not changed:
            return
        if self.there == wanted:
            self.theirs = self.theirs or self.ours != wanted
        elif self.ours or (wanted and not self.theirs):
            self.there = wanted
        self.ours = self.ours and wanted if self.theirs else self.there and wanted


def make_member(world, pool_id, *, member):
    change = world.cognito.admin_add_user_to_group if member else world.cognito.admin_remove_user_from_group
    change(UserPoolId=pool_id, Username="late", GroupName="staff")


@settings(max_examples=15)
@given(edits=EDITS)
def test_a_membership_is_undone_only_by_whoever_made_it(edits):
    """Whatever the old pool, administrators, sign-ins and runs do in any order, it ends as the model says."""
    world, model, wanted, created = new_world(), Membership(), True, False
    world.add_old("late", groups=["staff"])
    with tempfile.TemporaryDirectory() as folder, begun(world, Path(folder)) as job:
        world.publish()
        for what, member in (*edits, ("sign in", True), ("run", True)):
            if what == "old":
                wanted = member
                make_member(world, world.old_id, member=member)
            elif what == "new" and created:
                model.there = member
                make_member(world, world.new_id, member=member)
            elif what == "sign in":
                if not (created or world.signs_in("late", OLD_PASSWORD)):
                    continue
                if not created:
                    model.created(wanted=wanted)
                elif world.capture("late", OLD_PASSWORD) == "captured":
                    world.signs_in("late", OLD_PASSWORD)
                created = True
            elif what == "run":
                job.scan()
                job.run()
                (model.carried if created else model.created)(wanted=wanted)
                created = True
            assert ("staff" in world.new_groups("late")) == (created and model.there), what


def test_a_membership_given_by_a_token_and_revoked_is_no_loss(tmp_path):
    """What a first token gave and an administrator took away counts for `verify` as the new pool's own change."""
    world = new_world()
    world.add_old("late", groups=["staff"])
    with begun(world, tmp_path) as job:
        world.publish()
        assert token_groups(world.sign_in("late", OLD_PASSWORD)) == ["staff"]
        job.run()
        world.cognito.admin_remove_user_from_group(UserPoolId=world.new_id, Username="late", GroupName="staff")
        job.scan()
        job.run()
        assert job.verify() == ([], [("late", "membership lost", "staff")])
