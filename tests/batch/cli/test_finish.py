"""The end: the checklist, what is refused after it, and that no personal value is left anywhere."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ending import SECRET, end_long_ago, found, persons, rows, stored, sub_map, table
from hypothesis import given
from hypothesis import strategies as st

from batch.cutover.finish_checklist import EndError, Remaining, checklist, refuse_left, refuse_purge
from batch.inventory.erasure import CLEARED, EMPTIED, KEPT, NOBODYS, purge, without_lists
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import End
from batch.ledger import lease
from batch.ledger.erasure import erase
from batch.report.export import EXPORTS, OF_SUBS
from sandbox.cognito import shared
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.person import PersonState


def close_all(moving):
    assert moving("reset", "--close-by", datetime.now(UTC).date().isoformat(), "--yes").code == 0


def test_the_end_waits_for_everybody(moving):
    """While people wait the checklist names them and ends with code 5; then it ends once, and nothing runs after it."""
    early = moving("finish", "--yes")
    assert early.code == 5
    assert "wait for a first sign-in" in early.err
    assert moving("run", "--yes").code == 0
    close_all(moving)
    ended = moving("finish", "--yes")
    assert (ended.code, "Finished at" in ended.out) == (0, True)
    assert "Weeks later, when nobody asks any more" in ended.out
    assert "Finished since" in moving("status").out
    assert "Finished already" in moving("finish").out
    for command in (("run", "--yes"), ("sync",), ("reset",)):
        refused = moving(*command)
        assert (refused.code, "finish --reopen" in refused.err) == (2, True)
    assert moving("finish", "--reopen", "--yes").code == 0
    assert moving("run", "--yes").code == 0


def test_everybody_is_counted_once_after_an_undo(moving):
    """Who was taken back is to be created, and known to the ledger as well: still one person in the number to pass."""
    assert moving("cutover", "--undo", "--yes").code == 0
    assert moving("undo", "--yes").code == 0
    assert moving("run", "--yes", "--limit", "2").code == 4
    # Whoever came within seconds of a cut-over may have come after it.
    with shared().world.clock.ahead(60):
        assert moving("cutover", "--yes", "--despite-left", "99").code == 0
    said = moving("finish").err
    assert "3  are still to be created" in said
    assert "3  are known to the ledger" in said
    assert "5 people are left, each counted once" in said
    assert moving("finish", "--yes", "--despite-left", "4").code == 5
    assert moving("finish", "--yes", "--despite-left", "5").code == 0


def end(moving):
    """Finish, whoever is left, and let the functions hear of it."""
    assert moving("finish", "--yes", "--despite-left", "99").code == 0
    end_long_ago(moving.state)


def test_a_purge_leaves_the_sub_map_and_no_personal_value(moving):
    """After `finish --purge` no file and no item of the ledger has anybody's value; subs and counts are still there."""
    assert found(moving, SECRET)
    mapped = sub_map(moving)
    assert moving("finish", "--purge", "--yes").code == 2
    end(moving)
    purged = moving("finish", "--purge", "--yes")
    assert purged.code == 0, purged.err
    assert found(moving, SECRET) == set()
    assert sub_map(moving) == mapped
    assert {one.state for one in persons(moving)} <= {PersonState.RESET, PersonState.HELD}
    for command in (("scan",), ("plan",), ("verify",), ("finish", "--reopen", "--yes")):
        refused = moving(*command)
        assert (refused.code, "export map" in refused.err) == (2, True)
    said = moving("status").out
    assert ("Personal data is deleted" in said, "cognito-migrate plan" in said) == (True, False)
    status = moving("status", "--json").json
    assert (status["finished"] > "2026", status["purged"]) == (True, "done")
    assert moving("finish", "--purge", "--yes").code == 0


def test_no_list_is_silently_short_after_a_purge(moving):
    """After a purge every list of people but those of subs is refused, and so is the configuration of the way back."""
    end(moving)
    assert moving("finish", "--purge", "--yes").code == 0
    for what in EXPORTS:
        listed = moving("export", what, "--output", "-")
        assert (listed.code, "was deleted" in listed.err) == ((0, False) if what in OF_SUBS else (2, True)), what
    back = moving("init", "--reverse")
    assert (back.code, "was deleted" in back.err) == (2, True)
    assert not moving.config.with_name("config-reverse.yaml").exists()


def test_a_look_ahead_to_the_cut_over_is_not_told_to_cut_over(moving):
    """What the new pool changed after the cut-over is asked for too early: which step is missing is said, no more."""
    assert moving("export", "revoked", "--output", "-").code == 0
    for command, said in ((("cutover", "--undo"), "There was no cut-over"), (("cutover",), "cognito-migrate verify")):
        assert moving(*command, "--yes", *(["--despite-left", "9"] if command == ("cutover",) else [])).code == 0
        for what in ("revoked", "new-passwords"):
            early = moving("export", what, "--output", "-")
            assert (early.code, said in early.err, "cognito-migrate cutover" in early.err) == (2, True, False)


@pytest.mark.parametrize("killed_after", ["some persons", "the ledger", "the rows"])
def test_a_purge_that_was_killed_is_ended_by_the_next(moving, killed_after):
    """Killed between any two of its steps, a purge refuses other commands and is ended by repeating it."""
    end(moving)
    fingerprint = stored(moving, "fingerprint")
    with Inventory.open(moving.folder / "migration.db", fingerprint) as inventory:
        replace(End.of(inventory), purged="begun").save(inventory)
        for person in persons(moving)[: 3 if killed_after == "some persons" else None]:
            erase(Ledger(table(moving)), person.sub, now=time.time())
        if killed_after == "the rows":
            purge(inventory)
    assert moving("scan").code == 2
    assert moving("finish", "--purge", "--yes").code == 0
    assert found(moving, SECRET) == set()


def test_every_column_is_either_kept_or_personal(tmp_path):
    """A table or column that is added must be said to be about persons, or not."""
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        tables = {name for (name,) in inventory.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == NOBODYS | set(EMPTIED) | set(CLEARED)
        for name in CLEARED:
            columns = {row[1] for row in inventory.execute(f"PRAGMA table_info({name})")}
            assert columns == KEPT[name] | set(CLEARED[name])


NUMBERS = st.integers(0, 3)


@given(st.dictionaries(st.sampled_from(PersonState), NUMBERS), st.tuples(*[NUMBERS] * 4), NUMBERS)
def test_nobody_is_left_behind_unseen(states, numbers, left):
    """Each kind has a line with its number, and the end is refused exactly if more people are left than was said."""
    to_create, failed, owing, again = numbers
    standing = Remaining(
        cut_over=True, people=left, to_create=to_create, failed=failed, states=states, owing=owing, again=again
    )
    closed = {PersonState.CAPTURED, PersonState.RESET, PersonState.RETURNED, PersonState.HELD}
    said = to_create + failed + owing + again + sum(number for state, number in states.items() if state not in closed)
    assert sum(finding.left for finding in checklist(standing)) == said
    refuse_left(standing, left)
    if left:
        with pytest.raises(EndError, match=f"--despite-left {left}"):
            refuse_left(standing, left - 1)


def test_disabled_profiles_are_named_before_the_function_goes():
    """Who is disabled and kept out by the function alone is to be looked at, and in nobody's way."""
    said = [finding.said for finding in checklist(Remaining(cut_over=True, kept_out=2)) if not finding.left]
    assert "2 from other providers are disabled in the old pool: only the function keeps them out." in said


def test_a_purge_waits_until_every_function_has_heard_of_the_end():
    """Within two minutes of the end functions may still ask the old pool by names, so that these are not deleted."""
    with pytest.raises(SettingsError, match="in two minutes"):
        refuse_purge(1000.0, 1119.0)
    refuse_purge(1000.0, 1120.0)


def test_a_purge_just_after_the_end_is_refused(moving):
    """Finished this moment, nothing is deleted yet."""
    assert moving("finish", "--yes", "--despite-left", "99").code == 0
    early = moving("finish", "--purge", "--yes")
    assert (early.code, "in two minutes" in early.err) == (2, True)
    assert stored(moving, "purged") is None


def test_both_pools_may_be_gone_before_what_is_known_of_people(moving, client):
    """With neither pool there any more, one person is forgotten, then everybody is, and the sub map still read."""
    mapped = sub_map(moving)
    end(moving)
    for pool_id in (moving.source, moving.target):
        client.delete_user_pool(UserPoolId=pool_id)
    for command in (("forget", f"ada-{SECRET}"), ("finish", "--purge")):
        done = moving(*command, "--yes")
        assert done.code == 0, done.err
    assert found(moving, SECRET) == set()
    assert sub_map(moving) == mapped


def test_no_count_of_a_run_names_anybody(moving, client):
    """What a sync records of who left the old pool is how many they were; lists of an older version are made so."""
    assert moving("cutover", "--undo", "--yes").code == 0
    client.admin_delete_user(UserPoolId=moving.source, Username=f"bob-{SECRET}")
    assert moving("sync", "--max-shrink", "90").code in {0, 1}
    counts = [
        json.loads(text) for (text,) in rows(moving, "SELECT counts FROM runs WHERE command = 'sync' ORDER BY started")
    ]
    assert counts[-1]["run"]["gone"] == 1
    assert without_lists({"run": {"gone": [{"username": "bob"}], "left": 0}}) == {"run": {"gone": 1, "left": 0}}


def test_nobody_who_ran_it_is_known_after_a_purge(moving):
    """The ARN that recorded the cut-over, and names in counts of runs, are deleted with everything else."""
    with closing(sqlite3.connect(moving.state)) as file, file:
        file.execute("UPDATE meta SET value = json_set(value, '$.by', ?) WHERE key = 'cutover'", (f"arn:{SECRET}",))
        file.execute("UPDATE runs SET caller = ?1, counts = json_object('gone', json_array(?1))", (f"arn:{SECRET}",))
    end(moving)
    assert moving("finish", "--purge", "--yes").code == 0
    assert found(moving, SECRET) == set()
    assert stored(moving, "cutover")["by"] is None
    assert stored(moving, "cutover")["at"]


def test_another_inventory_cannot_take_a_purge_back(moving, client):
    """After a purge the end stands, also for an inventory that is begun anew: nobody is created."""
    end(moving)
    assert moving("finish", "--purge", "--yes").code == 0
    moving.state.rename(moving.folder / "old.db")
    there = len(client.list_users(UserPoolId=moving.target)["Users"])
    assert moving("scan").code == 0
    refused = moving("finish", "--reopen", "--yes")
    assert (refused.code, "was deleted" in refused.err) == (2, True)
    assert moving("run", "--yes").code == 2
    assert len(client.list_users(UserPoolId=moving.target)["Users"]) == there


@pytest.mark.parametrize("ledger", [None, "another"])
def test_without_its_ledger_nothing_ends(moving, ledger):
    """With `ledger` taken out, or another table in it, nobody is counted, finished, purged or forgotten."""
    end(moving)
    assert moving("finish", "--reopen", "--yes").code == 0
    own = moving.settings["ledger"]
    moving.configure(ledger=ledger and {**own, "table": f"another-{own['table']}"})
    for command in (("finish", "--despite-left", "99"), ("forget", f"ada-{SECRET}")):
        refused = moving(*command, "--yes")
        assert (refused.code, "ledger" in refused.err) == (2, True)
    moving.configure(ledger=own)
    end(moving)
    moving.configure(ledger=ledger and {**own, "table": f"another-{own['table']}"})
    assert moving("finish", "--purge", "--yes").code == 2
    moving.configure(ledger=own)
    assert all(person.username for person in persons(moving))


def test_the_end_waits_for_a_run_elsewhere(moving):
    """While another inventory's run has the lease, nothing is finished, since that run would go on creating."""
    with lease.held(table(moving), "elsewhere", now=time.time):
        beside = moving("finish", "--yes", "--despite-left", "99")
    assert (beside.code, "Another run" in beside.err) == (6, True)
    assert rows(moving, "SELECT value FROM meta WHERE key = 'finished'") in ([], [("null",)])
