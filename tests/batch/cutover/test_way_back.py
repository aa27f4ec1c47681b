"""The configuration of the way back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from command_line import command
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.cutover.way_back import Newcomers, doubts, reverse, text
from batch.inventory.baseline import Baseline, BaselineTable
from batch.inventory.inventory import Inventory, fingerprint
from batch.inventory.milestones import Cutover
from batch.plan.after_cutover import record_cutover
from batch.settings.config import Config, load
from userpool.attributes import AttributeRules
from userpool.cohort import CohortRules
from userpool.groups import GroupRules
from userpool.settings import LedgerSettings, PoolSettings, UserRules

OLD = PoolSettings("eu-west-1_OldPool01", profile="old", role_arn="arn:aws:iam::1:role/old", external_id="x")
NEW = PoolSettings("eu-west-1_NewPool01", endpoint_url="http://127.0.0.1:5000")
CUTOVER = Cutover(1_790_000_000.75, 3)
MARKER = "custom:legacy_sub"
NEWCOMERS = Newcomers(CUTOVER.at, MARKER)
NAMES = st.sampled_from(["custom:a", "custom:b", "nickname", "website"])
RENAMED = st.dictionaries(NAMES, st.sampled_from(["custom:c", "custom:d", "profile"]), max_size=3)


def config(**settings) -> Config:
    return Config(OLD, NEW, state="/srv/migration.db", **settings)


def test_the_pools_change_places():
    """Each pool is reached as before; who signed up since a moment and lacks the old sub crosses, to no ledger."""
    turned = reverse(config(ledger=LedgerSettings("table"), users=UserRules(unconfirmed="create")), NEWCOMERS)
    assert (turned.source, turned.target, turned.ledger) == (NEW, OLD, None)
    assert turned.state == "/srv/migration-reverse.db"
    only = CohortRules(created_after="2026-09-21T14:13:20+00:00", lacking="custom:legacy_sub")
    assert turned.users == UserRules(only=only, keep_sub_as=None)
    assert turned.attributes == AttributeRules(drop=("custom:legacy_sub",))


def test_rules_are_turned_round_where_that_is_clear():
    """Names go back to what they were, what was dropped stays out, and what cannot be turned is said."""
    forth = config(
        attributes=AttributeRules(drop=("custom:x",), rename={"custom:a": "custom:b"}, set={"custom:s": "1"}),
        groups=GroupRules(drop=("root",), rename={"admins": "staff", "a": "all", "b": "all"}),
        users=UserRules(username_from="email"),
    )
    turned = reverse(forth, NEWCOMERS)
    assert turned.attributes == AttributeRules(("custom:legacy_sub", "custom:x"), {"custom:b": "custom:a"})
    assert turned.groups == GroupRules(drop=("root",), rename={"staff": "admins"})
    said = " ".join(doubts(forth, MARKER))
    assert all(name in said for name in ("custom:x", "custom:s", "all", "groups.drop", "username_from was email"))


@settings(max_examples=30)
@given(
    RENAMED, st.frozensets(NAMES | st.sampled_from(["custom:c", "custom:e"])), st.none() | st.just("custom:legacy_sub")
)
def test_what_is_written_is_what_was_meant(tmp_path_factory, renamed, dropped, marker):
    """The file is read back as the very settings, whatever the rules were, wherever the inventory is."""
    values = [*renamed.values()]
    rename = {name: value for name, value in renamed.items() if values.count(value) == 1}
    rules = AttributeRules(drop=tuple(sorted(dropped - rename.keys())), rename=rename)
    folder = tmp_path_factory.mktemp("back")
    forth = dataclasses.replace(
        config(attributes=rules, users=UserRules(keep_sub_as=marker)), state=str(folder / "state" / "migration.db")
    )
    turned = reverse(forth, Newcomers(CUTOVER.at, marker))
    (folder / "config.yaml").write_text(text(forth, turned, folder), encoding="utf-8")
    assert load(folder / "config.yaml") == turned
    assert {turned.attributes.rename[new]: new for new in turned.attributes.rename} == rename


def test_protections_and_limits_are_turned_round_too():
    """Second factors come back if they crossed, and groups that no run may make are not made there, either."""
    forth = config(users=UserRules(mfa="preferences"), groups=GroupRules(create=False))
    turned = reverse(forth, NEWCOMERS)
    assert (turned.users.mfa, turned.groups.create) == ("preferences", False)
    written = text(forth, turned, Path("/srv"))
    assert ('mfa: "preferences"' in written, "create: false" in written) == (True, True)


@pytest.fixture
def inventory(tmp_path):
    """An inventory of a migration that was cut over, with two runs before, and one after."""
    with Inventory.open(tmp_path / "state.db", {"a": "b"}, create=True) as inventory:
        with inventory.transaction():
            for number, (command_, days) in enumerate([("scan", -9), ("sync", -5), ("run", -4), ("run", 1)]):
                row = (str(number), command_, CUTOVER.at + days * 86_400)
                inventory.execute("INSERT INTO runs (id, command, started, config_digest) VALUES (?, ?, ?, '')", row)
        yield inventory


@pytest.mark.parametrize(
    ("attributes", "days", "marker"), [({MARKER: "s1", "email": "x"}, 5, MARKER), ({"email": "x"}, 0, None)]
)
def test_since_when_newcomers_are_looked_for(inventory, attributes, days, marker):
    """With the old sub on whom the migration made, since its first run; where nobody has it, since the cut-over."""
    with inventory.transaction():
        BaselineTable(inventory).save("s1", Baseline(attributes))
    found = Newcomers.of(inventory, CUTOVER, MARKER)
    assert found == Newcomers(CUTOVER.at - days * 86_400, marker)
    assert ("carries an old sub" in " ".join(doubts(config(), found.marker))) == (marker is None)


def test_without_recorded_runs_newcomers_are_those_since_the_cut_over(inventory):
    """A lost inventory knows no run before the cut-over that was said again: nobody earlier is looked for."""
    with inventory.transaction():
        BaselineTable(inventory).save("s1", Baseline({MARKER: "s1"}))
        inventory.execute("DELETE FROM runs WHERE started < ?", (CUTOVER.at,))
    assert Newcomers.of(inventory, CUTOVER, MARKER) == NEWCOMERS


# The command


@pytest.fixture
def configured(tmp_path) -> Path:
    """A configuration and its inventory."""
    path = tmp_path / "config.yaml"
    path.write_text(f"source: {{user_pool_id: {OLD.user_pool_id}}}\ntarget: {{user_pool_id: {NEW.user_pool_id}}}\n")
    Inventory.open(tmp_path / "migration.db", fingerprint(load(path)), create=True).close()
    return path


def test_there_is_no_way_back_before_a_cut_over(configured, tmp_path):
    """Without a recorded cut-over nothing is written, and the remedy is said."""
    refused = command("--config", str(configured), "init", "--reverse")
    assert (refused.code, f"cognito-migrate --config {configured} cutover" in refused.err) == (2, True)
    assert not (tmp_path / "config-reverse.yaml").exists()


def test_the_file_is_written_beside_the_other_and_never_over_one(configured, tmp_path):
    """It is config-reverse.yaml unless --output says otherwise; a file that is there stays."""
    with Inventory.open(tmp_path / "migration.db", fingerprint(load(configured))) as inventory:
        record_cutover(inventory, CUTOVER)
    written = command("--config", str(configured), "init", "--reverse")
    back = tmp_path / "config-reverse.yaml"
    assert (written.code, f"--config {back} check" in written.out) == (0, True)
    assert load(back).state == str(tmp_path / "migration-reverse.db")
    before = back.read_bytes()
    again = command("--config", str(configured), "init", "--reverse")
    assert (again.code, "--output" in again.err) == (2, True)
    assert back.read_bytes() == before
    assert command("--config", str(configured), "init", "--reverse", "--output", str(tmp_path / "b.yaml")).code == 0


@pytest.mark.parametrize(
    "words", [("init",), ("init", OLD.user_pool_id), ("init", OLD.user_pool_id, NEW.user_pool_id, "--reverse")]
)
def test_init_says_what_it_needs(configured, words):
    """Two ids, or --reverse and none."""
    refused = command("--config", str(configured.with_name("other.yaml")), *words)
    assert (refused.code, refused.err.startswith("Error: ")) == (2, True)
