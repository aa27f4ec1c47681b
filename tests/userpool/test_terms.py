from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from userpool.attributes import Attribute, AttributeRules, Schema
from userpool.errors import SettingsError
from userpool.groups import GroupRules
from userpool.identity import SignIn
from userpool.ledger_table import Write
from userpool.person import lock_id
from userpool.settings import Rules, UserRules
from userpool.terms import FinishedError, Lasting, Terms, note_cut_over, refuse_another

PLAIN = Terms(
    source_pool_id="eu-west-1_Old",
    target_pool_id="eu-west-1_New",
    marker="custom:legacy_sub",
    sign_in=SignIn(),
    schema=Schema(),
    rules=Rules(),
    table="arn:aws:dynamodb:eu-west-1:1:table/ledger 1.000",
    log_key="key",
)
RICH = replace(
    PLAIN,
    sign_in=SignIn(alias_attributes=("email", "preferred_username"), case_sensitive=False),
    schema=Schema(
        {
            "custom:größe": Attribute("custom:größe", "Number", least=-1.5, greatest=1e12),
            "name": Attribute("name", required=True, mutable=False, shortest=0, longest=2048),
            "custom:open": Attribute("custom:open", "Number", least=0.0),
        }
    ),
    rules=Rules(
        users=UserRules(unconfirmed="create", username_from="email", allow_unverified=True),
        attributes=AttributeRules(drop=("fax",), rename={"custom:a": "custom:ä"}, set={"locale": 'nl 🚲 "\\'}),
        groups=GroupRules(drop=("alt",), rename={"admins": "Ωs"}),
    ),
    log_key="\N{SNOWMAN}\n",
    finished=True,
)


@pytest.mark.parametrize("terms", [PLAIN, RICH], ids=["plain", "rich"])
def test_terms_survive_being_kept(ledger_table, terms):
    """What the batch agrees to is what the trigger reads, to the last bound, rule and character."""
    terms.save(ledger_table)
    assert Terms.of(ledger_table) == terms


def test_there_may_be_no_terms(ledger_table):
    """A table to which nothing was ever published has no terms."""
    assert Terms.of(ledger_table) is None


def test_what_is_finished_stays_so(ledger_table):
    """A run that began before the end cannot undo it by what it writes; only reopening does."""
    replace(PLAIN, finished=True).save(ledger_table)
    with pytest.raises(FinishedError, match="--reopen"):
        PLAIN.save(ledger_table)
    assert Terms.of(ledger_table).finished
    PLAIN.save(ledger_table, reopen=True)
    PLAIN.save(ledger_table)
    assert not Terms.of(ledger_table).finished


def test_what_is_purged_is_not_reopened(ledger_table):
    """Once personal data is deleted the end is for good, also for who writes the terms anew; it may be said again."""
    purged = replace(PLAIN, finished=True, purged=True)
    for _ in range(2):
        purged.save(ledger_table)
    for reopen in (True, False):
        with pytest.raises(FinishedError, match="deleted"):
            PLAIN.save(ledger_table, reopen=reopen)
    assert Terms.of(ledger_table) == purged


def test_terms_may_change(ledger_table):
    """The same migration may agree on something else later, as often as it likes."""
    for terms in (PLAIN, RICH, RICH, replace(PLAIN, finished=True)):
        terms.save(ledger_table)
        assert Terms.of(ledger_table) == terms


def refuse(terms, table):
    """Refuse the table if it is not of the pools of these terms."""
    refuse_another(table, terms.source_pool_id, terms.target_pool_id)


@pytest.mark.parametrize(
    "other",
    [{"source_pool_id": "eu-west-1_Other"}, {"target_pool_id": "eu-west-1_Other"}],
    ids=lambda one: next(iter(one)),
)
def test_the_ledger_of_another_migration_is_left_alone(ledger_table, other):
    """A ledger that two other pools share is refused with the remedy, and keeps what it has."""
    PLAIN.save(ledger_table)
    another = replace(PLAIN, **other)
    for attempt in (another.save, partial(refuse, another)):
        with pytest.raises(
            SettingsError, match=r"eu-west-1_Old to eu-west-1_New.*set `ledger` to another table"
        ) as caught:
            attempt(ledger_table)
        assert ledger_table.name in str(caught.value)
    assert Terms.of(ledger_table) == PLAIN


def test_ones_own_ledger_is_not_another(ledger_table):
    """Neither an empty ledger nor one of the same pools is refused."""
    refuse(PLAIN, ledger_table)
    PLAIN.save(ledger_table)
    refuse(RICH, ledger_table)


def keep(table, text):
    table.write(Write("terms", item={"terms": text, "source": "eu-west-1_Old", "target": "eu-west-1_New"}))


def text_of(table):
    return table.get("terms")["terms"]


@pytest.mark.parametrize("length", [0, 1, 20, -1])
def test_torn_terms_are_told(ledger_table, length):
    """Terms that are cut off are an error that names the table and the remedy, and quotes nothing."""
    RICH.save(ledger_table)
    keep(ledger_table, text_of(ledger_table)[:length])
    with pytest.raises(SettingsError, match="cannot be read: `cognito-migrate run` writes them anew") as caught:
        Terms.of(ledger_table)
    assert ledger_table.name in str(caught.value)
    assert caught.value.__suppress_context__
    RICH.save(ledger_table)
    assert Terms.of(ledger_table) == RICH


@pytest.mark.parametrize("item", [{}, {"terms": 5}], ids=["none", "a number"])
def test_an_item_that_holds_no_terms_is_told(ledger_table, item):
    """An item in the place of the terms that is something else is an error with the remedy."""
    ledger_table.write(Write("terms", item={**item, "source": "a", "target": "b"}))
    with pytest.raises(SettingsError):
        Terms.of(ledger_table)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"marker": 5}, "the ledger's terms.marker must be text"),
        ({"finished": "yes"}, "the ledger's terms.finished must be true or false"),
        ({"rules": {"users": {"unconfirmed": "x"}}}, "the ledger's terms.rules.users.unconfirmed is 'x'"),
        ({"schema": {"attributes": {"name": {"name": "name", "least": "1"}}}}, "the ledger's terms.schema.attributes"),
    ],
)
def test_terms_of_another_version_are_told(ledger_table, change, said):
    """A value of another kind is named."""
    PLAIN.save(ledger_table)
    keep(ledger_table, json.dumps(json.loads(text_of(ledger_table)) | change))
    with pytest.raises(SettingsError) as caught:
        Terms.of(ledger_table)
    assert said in str(caught.value)


def test_terms_that_lack_something_are_told(ledger_table):
    """A key that is missing is named."""
    PLAIN.save(ledger_table)
    values = json.loads(text_of(ledger_table))
    del values["log_key"]
    keep(ledger_table, json.dumps(values))
    with pytest.raises(SettingsError, match=r"the ledger's terms\.log_key is missing"):
        Terms.of(ledger_table)


def test_a_lock_is_of_what_was_meant(ledger_table):
    """What somebody types is folded as the new pool compares, and the lock is the new pool's."""
    assert RICH.lock("ADA@example.com") == RICH.lock("ada@Example.com") == lock_id("eu-west-1_New", "ada@example.com")
    assert PLAIN.lock("ADA@example.com") == lock_id("eu-west-1_New", "ADA@example.com")


def test_what_a_later_version_added_is_left_out(ledger_table):
    """A function that is older than the job reads what it knows, at any depth."""
    RICH.save(ledger_table)
    values = json.loads(text_of(ledger_table))
    values["colour"] = values["rules"]["colour"] = values["rules"]["users"]["colour"] = "red"
    for attribute in values["schema"]["attributes"].values():
        attribute["colour"] = "red"
    keep(ledger_table, json.dumps(values))
    assert Terms.of(ledger_table) == RICH


def test_what_lasts_is_read_whatever_the_form_of_the_rest(ledger_table):
    """The table's identity, the key of the logs, the cut-over and the end outlive unreadable terms."""
    assert Lasting.of(ledger_table) is None
    note_cut_over(ledger_table, PLAIN.source_pool_id, PLAIN.target_pool_id, 1764000000.5)
    assert Lasting.of(ledger_table) is None
    PLAIN.save(ledger_table)
    note_cut_over(ledger_table, PLAIN.source_pool_id, "another", 1.0)
    note_cut_over(ledger_table, PLAIN.source_pool_id, PLAIN.target_pool_id, 1764000000.5)
    ledger_table.write(Write("terms", change="SET #terms = :terms", values={"terms": "of another version"}))
    assert Lasting.of(ledger_table) == (PLAIN.table, PLAIN.log_key, PLAIN.finished, 1764000000.5)
    PLAIN.save(ledger_table)
    assert Lasting.of(ledger_table).cut_over == 1764000000.5
    note_cut_over(ledger_table, PLAIN.source_pool_id, PLAIN.target_pool_id, None)
    assert Lasting.of(ledger_table).cut_over is None
