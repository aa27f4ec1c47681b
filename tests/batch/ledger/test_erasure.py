"""Persons taken out of the ledger: what stays of them, and whom it keeps out."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.inventory.inventory import Inventory
from batch.ledger import lease
from batch.ledger.erasure import Emptying, disabled_federated, erase, kept_out, last_state, tombstone
from batch.runtime.progress_bar import ProgressBars
from userpool.errors import SettingsError
from userpool.ledger import LOCK, Ledger
from userpool.ledger_table import Write
from userpool.person import FORGOTTEN, PERSON, Person, PersonState

FULL = Person(
    "1",
    PersonState.PENDING,
    username="ada",
    name="ada",
    new_sub="n1",
    owed=frozenset({"ward"}),
    enrol=frozenset({"SMS_MFA"}),
    locks=frozenset({"l1", "l2"}),
    disabled=True,
    checked=True,
    epoch=3.0,
    token="t",
    until=10.0,
    changed=5.0,
)


@given(st.sampled_from(PersonState))
def test_no_tombstone_is_open(state):
    """Whoever is erased can be captured by nothing: a tombstone's state is final, or held."""
    last = last_state(state)
    assert last.final or last in {PersonState.HELD, PersonState.RETURNED}
    assert last_state(last) is last


@pytest.mark.parametrize(
    ("state", "refused"), [(PersonState.CAPTURED, False), (PersonState.CAPTURING, True), (PersonState.RESET, True)]
)
def test_a_capture_that_is_under_way_is_waited_for(ledger_table, state, refused):
    """Whose password is being set this moment is not erased until that is over; who is captured already is."""
    change = "SET #state = :state, #token = :token, #until = :until, #username = :name"
    values = {"state": state, "token": "t", "until": 1010.0, "name": "ada"}
    ledger_table.write(Write(f"{PERSON}1", change=change, values=values))
    ledger = Ledger(ledger_table)
    if refused:
        with pytest.raises(SettingsError, match="in a minute"):
            erase(ledger, "1", now=1000.0)
    assert erase(ledger, "1", now=1000.0 if not refused else 1011.0)
    stone = ledger.person("1")
    assert (stone.state, stone.reason, stone.username) == (last_state(state), FORGOTTEN, "")
    assert not erase(ledger, "2", now=1000.0)


@pytest.mark.parametrize("state", [one for one in PersonState if one is not PersonState.CAPTURING])
def test_nothing_else_of_a_person_is_left(ledger_table, state):
    """Whatever attribute an item has, by whatever version: a tombstone has those that are named here, and no others."""
    item = {**replace(FULL, state=state).to_item(), "offered": frozenset({"ward"}), "giver": "g", "giver_until": 1.0}
    ledger_table.write(Write(f"{PERSON}1", item={**item, "later": "more"}))
    assert erase(Ledger(ledger_table), "1", now=1000.0)
    kept = {"id", "state", "reason", "new_sub", "checked", "changed"}
    if state is PersonState.RESET:
        kept |= {"token", "until"}
    if state in {PersonState.DEFERRED, PersonState.RETURNED}:
        kept |= {"disabled", "locks"}
    assert ledger_table.get(f"{PERSON}1").keys() == kept


@given(
    st.builds(
        Person,
        st.just("1"),
        st.sampled_from(PersonState),
        reason=st.sampled_from([None, "federated", "cohort", FORGOTTEN]),
        new_sub=st.sampled_from([None, "n"]),
        locks=st.just(frozenset({"l"})),
        disabled=st.booleans(),
        token=st.sampled_from([None, "t"]),
        until=st.just(1.0),
    ),
    st.booleans(),
)
def test_a_tombstone_keeps_out_whom_the_ledger_kept_out(person, federated):
    """Erased once or twice, by who knows the old pool or not, a profile that was kept out is, and nobody else is."""
    subs = {"1"} if federated else set()
    stone = tombstone(person, subs)
    assert kept_out(stone, ()) == kept_out(person, subs) == stone.disabled == bool(stone.locks)
    assert tombstone(stone, ()) == stone


def test_the_lock_of_a_profile_that_is_kept_out_stays(ledger_table):
    """Only by its lock is a profile known as it signs in: without it a disabled one would be let in."""
    ledger = Ledger(ledger_table)
    for sub, state in (("1", PersonState.DEFERRED), ("2", PersonState.KNOWN)):
        person = Person(sub, state, username="x", locks=frozenset({sub}), disabled=True)
        ledger_table.write(Write(f"{PERSON}{sub}", item=person.to_item()))
        ledger_table.write(Write(f"{LOCK}{sub}", item={"sub": sub, "firm": True}))
        assert erase(ledger, sub, now=1.0)
    assert (ledger.owner("1"), ledger.owner("2")) == ("1", None)


def test_everybody_is_erased_and_who_is_kept_out_stays_out(ledger_table):
    """Of all locks those alone stay by which a disabled profile is known, also when it is repeated with less known."""
    for sub in ("1", "2"):
        person = Person(sub, PersonState.HELD, username="x", reason="cohort", locks=frozenset({sub}), disabled=True)
        ledger_table.write(Write(f"{PERSON}{sub}", item=person.to_item()))
    for lock, sub in (("1", "1"), ("2", "2"), ("nobody's", "3"), ("touched", "1")):
        ledger_table.write(Write(f"{LOCK}{lock}", item={"sub": sub, "firm": False}))
    for federated in ({"1"}, set()):
        with lease.held(ledger_table, "owner", now=time.time) as held:
            emptying = Emptying(
                ledger_table,
                held,
                federated=federated,
                now=1.0,
                workers=2,
                stop=threading.Event(),
                progress=ProgressBars(),
            )
            assert emptying.run() == 2
        assert [item["id"] for items in ledger_table.items(LOCK) for item in items] == [f"{LOCK}1"]
        assert [Ledger(ledger_table).person(sub).disabled for sub in ("1", "2")] == [True, False]


def test_a_disabled_user_who_was_left_out_is_kept_from_coming_from_a_provider(ledger_table):
    """Linked to a provider and never in the new pool, a disabled native user is known by locks alone: these stay."""
    ledger = Ledger(ledger_table)
    for sub, new_sub in (("1", None), ("2", "n2")):
        person = Person(sub, PersonState.HELD, reason="skipped", new_sub=new_sub, locks=frozenset({sub}), disabled=True)
        ledger_table.write(Write(f"{PERSON}{sub}", item=person.to_item()))
        ledger_table.write(Write(f"{LOCK}{sub}", item={"sub": sub, "firm": True}))
        assert erase(ledger, sub, now=1.0, federated={"1", "2"})
    assert (ledger.owner("1"), ledger.owner("2")) == ("1", None)


def test_who_is_disabled_and_of_a_provider_is_known_from_the_scan(tmp_path):
    """Profiles, also those with a password, and linked users are, if they are disabled; others are not."""
    identity = '{"identities": "[{\\"providerName\\": \\"Google\\", \\"userId\\": \\"1\\"}]"}'
    none = '{"identities": "[]"}'
    rows = [("1", identity, 0), ("2", identity, 1), ("3", '{"name": "identities"}', 0), ("4", none, 0)]
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory, inventory.transaction():
        inventory.execute_many("INSERT INTO users VALUES (?1, ?1, 'CONFIRMED', ?3, 1, 1, ?2, 1, 0, 0, NULL)", rows)
        inventory.execute("INSERT INTO users VALUES ('5', '5', 'EXTERNAL_PROVIDER', 0, 1, 1, '{}', 1, 0, 0, NULL)")
        assert disabled_federated(inventory) == {"1", "5"}
