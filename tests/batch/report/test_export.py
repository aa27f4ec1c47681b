from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import introduce
from migrating import FINGERPRINT

from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.report.export import _PAGE, EXPORTS
from batch.runtime.output_file import guarded, unguarded, whole_file, write_rows
from batch.settings.decisions import read_decisions
from userpool.errors import FatalError, SettingsError
from userpool.person import Person, PersonState
from userpool.user import User

COLUMNS = ("username", "sub")


@pytest.fixture
def inventory(tmp_path):
    """An inventory with nobody in it."""
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        yield inventory


def add(inventory, name, *, action="create", reason=None, channel=1, **progress):
    """Somebody of the old pool, with a plan, and with progress if any is given."""
    sub = f"old-{name}"
    Snapshot(inventory).save_users([User(name, sub, {"email": f"{name}@example.com"})])
    target = name if action == "create" else None
    inventory.execute(
        "INSERT INTO plan (sub, action, reason, username, reset_channel) VALUES (?, ?, ?, ?, ?)",
        (sub, action, reason, target, channel),
    )
    if progress:
        columns = ", ".join(progress)
        marks = ", ".join("?" * len(progress))
        statement = f"INSERT INTO progress (sub, {columns}) VALUES (?, {marks})"  # noqa: S608 -- the test's own names
        inventory.execute(statement, (sub, *progress.values()))


def rows(what, inventory, ledger=None):
    return list(EXPORTS[what].rows(inventory, ledger))


@pytest.fixture
def people(inventory):
    """One user of every kind."""
    add(inventory, "ada", state="done", new_sub="new-ada", username="ada")
    add(inventory, "bob", channel=0, state="created", new_sub="new-bob", username="uuid-bob")
    add(inventory, "gus", state="gone", new_sub="new-gus", username="gus", problem_kind="gone", problem="deleted")
    add(inventory, "tom", state="refused", problem_kind="taken", problem="a user of that name")
    add(inventory, "kim", action="skip", reason="federated")
    add(inventory, "lea", action="blocked", reason="no e-mail")
    add(inventory, "zoe")
    add(inventory, "upd", action="update", state="done", problem_kind="rejected", problem="refused")
    add(inventory, "now", state="intended", problem_kind="signing-in", problem="by their own sign-in")
    add(inventory, "old", action="skip", reason="x", state="refused", problem_kind="taken", problem="y")
    for sub, name, reason in (
        ("", "staff", "no such role"),
        ("old-ada", "email", "was changed in the new pool as well"),
    ):
        inventory.execute("INSERT INTO conflicts (sub, name, reason, final) VALUES (?, ?, ?, 1)", (sub, name, reason))
    return inventory


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("map", [("ada", "old-ada", "ada", "new-ada"), ("bob", "old-bob", "uuid-bob", "new-bob")]),
        (
            "created",
            [
                ("ada", "old-ada", "ada", "new-ada", "done"),
                ("bob", "old-bob", "uuid-bob", "new-bob", "created"),
                ("gus", "old-gus", "gus", "new-gus", "gone"),
            ],
        ),
        ("failed", [("tom", "old-tom", "taken", "a user of that name"), ("upd", "old-upd", "rejected", "refused")]),
        ("blocked", [("lea", "old-lea", "no e-mail")]),
        (
            "held",
            [
                ("kim", "old-kim", "skip", "federated"),
                ("lea", "old-lea", "blocked", "no e-mail"),
                ("old", "old-old", "skip", "x"),
            ],
        ),
        ("skipped", [("kim", "old-kim", "federated"), ("old", "old-old", "x")]),
        ("no-reset-channel", [("bob", "old-bob", "uuid-bob", "new-bob")]),
        ("gone", [("gus", "old-gus", "gus", "new-gus")]),
        ("collisions", []),
        (
            "conflicts",
            [(None, None, "staff", "no such role"), ("ada", "old-ada", "email", "was changed in the new pool as well")],
        ),
    ],
)
def test_what_the_inventory_tells(people, what, expected):
    """Each export has exactly the users that it is called after, by old sub, and a value for each column."""
    assert rows(what, people) == expected
    assert all(len(row) == len(EXPORTS[what].columns) for row in expected)


def test_with_a_ledger_held_is_its_state(people, ledger):
    """Who is held is as many as `status` and `finish` count in the ledger, with the ledger's reason."""
    introduce(ledger, Person("old-zoe", PersonState.HELD, "zoe", reason="departed"))
    introduce(ledger, Person("old-ada", PersonState.CAPTURED, "ada", name="ada", new_sub="new-ada"))
    assert rows("held", people, ledger) == [("zoe", "old-zoe", "held", "departed")]


@pytest.mark.parametrize(
    "state", [PersonState.PENDING, PersonState.CAPTURED, PersonState.RESET, PersonState.DEFERRED, PersonState.RETURNED]
)
def test_what_the_ledger_tells(people, ledger, state):
    """An export of a state has the persons of that state, since when, and what they are owed."""
    for one in PersonState:
        owed = frozenset({"readers", "admins"})
        introduce(
            ledger, Person(f"old-{one}", one, one, name=f"{one}2", new_sub=f"new-{one}", changed=86400, owed=owed)
        )
    found = rows(state, people, ledger)
    assert found == [
        (state, f"old-{state}", f"{state}2", f"new-{state}", "1970-01-02T00:00:00+00:00", "admins, readers")
    ]
    assert len(found[0]) == len(EXPORTS[state].columns)
    assert EXPORTS[state].of_ledger


def test_more_than_a_page(inventory):
    """Users beyond the first page are exported, each once."""
    count = 2 * _PAGE + 1
    for number in range(count):
        add(inventory, f"user{number}", state="done", new_sub=f"new{number}", username=f"user{number}")
    found = rows("map", inventory)
    assert len(found) == len(set(found)) == count


def test_collisions_can_be_decided_in_the_file(inventory, tmp_path):
    """Each set of users that would be one has its number; with the actions filled in the file is one of decisions."""
    for name, identifier in (("+31", "x"), ("Bob", "bob"), ("bob", "bob"), ("'+31", "x"), ("zoe", "zoe")):
        add(inventory, name)
        inventory.execute("INSERT INTO identifiers VALUES (?, ?, 'user name')", (identifier, f"old-{name}"))
    path = tmp_path / "collisions.csv"
    with whole_file(path, replace=False) as out:
        assert write_rows(out, EXPORTS["collisions"].columns, rows("collisions", inventory), as_="csv") == 4
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    assert [(row[0], row[3]) for row in table[1:]] == [("''+31", "1"), ("'+31", "1"), ("Bob", "2"), ("bob", "2")]
    for row in table[1:]:
        row[1] = "skip"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(table)
    assert set(read_decisions(path)) == {"+31", "'+31", "Bob", "bob"}


@given(st.text())
def test_what_is_guarded_can_be_read_back(value):
    """No guarded value begins as a formula does, and each tells which one it was."""
    assert not guarded(value).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(value)) == value


@pytest.mark.parametrize("sign", ["\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"])
def test_full_width_signs_are_guarded(sign):
    """What a spreadsheet with East Asian input takes for a formula is guarded, too."""
    assert guarded(f"{sign}1") == f"'{sign}1"
    assert unguarded(f"'{sign}1") == f"{sign}1"


@pytest.mark.parametrize("value", ["", "ada", "'ada", "a=b", "' ", "Zoë"])
def test_a_value_that_nobody_guarded_is_read_as_it_is(value):
    """What a person writes by hand keeps its quotes."""
    assert unguarded(value) == value


NAMES = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(NAMES, st.none() | NAMES)))
def test_jsonl_has_every_value_as_it_is(values):
    """Each line is one JSON object that has the row's very values."""
    out = io.StringIO(newline="")
    assert write_rows(out, COLUMNS, values, as_="jsonl") == len(values)
    lines = out.getvalue().split("\n")[:-1]
    assert [tuple(json.loads(line).values()) for line in lines] == values


# Cognito lets no name have a control character; csv reads a lone carriage return as the end of a line.
IN_CSV = NAMES.filter(lambda text: "\r" not in text)


@given(st.lists(st.tuples(IN_CSV, IN_CSV)))
def test_csv_can_be_read_back(values):
    """A CSV reader gets every value, line breaks, quotes and all, once the guard is taken off."""
    out = io.StringIO(newline="")
    write_rows(out, COLUMNS, values, as_="csv")
    header, *read = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert header == list(COLUMNS)
    assert [tuple(map(unguarded, row)) for row in read] == values


def test_a_file_is_for_its_owner_alone(tmp_path):
    """Whatever the umask, nobody else may read what was exported."""
    path = tmp_path / "map.csv"
    with whole_file(path, replace=False) as out:
        out.write("Zoë\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == "Zoë\n"
    assert list(tmp_path.iterdir()) == [path]


def write(path: Path, text: str, *, replace: bool) -> None:
    with whole_file(path, replace=replace) as out:
        out.write(text)


def test_a_file_that_is_there_is_replaced_only_if_told(tmp_path):
    """Without --force a file keeps every byte; with it, it has the new content."""
    path = tmp_path / "map.csv"
    path.write_text("mine")
    with pytest.raises(SettingsError, match="--force"):
        write(path, "other", replace=False)
    assert path.read_text() == "mine"
    write(path, "other", replace=True)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("other", 0o600)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    """Who makes the file while the rows are read keeps it."""
    path = tmp_path / "map.csv"
    with pytest.raises(SettingsError, match="--force"), whole_file(path, replace=False):
        path.write_text("mine")
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, FatalError("the ledger"), OSError(28, "No space left on device")])
def test_a_file_is_there_whole_or_not_at_all(tmp_path, error):
    """What ends in the middle leaves nothing behind, and what was there before as it was."""
    path = tmp_path / "map.csv"
    path.write_text("before")

    def rows():
        yield "half", "of them"
        raise error

    def export():
        with whole_file(path, replace=True) as out:
            write_rows(out, COLUMNS, rows(), as_="csv")

    with pytest.raises((KeyboardInterrupt, FatalError)):
        export()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("replace", [False, True])
def test_what_is_no_file_is_refused(tmp_path, replace):
    """A folder, a device or a link is never replaced."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path, Path("/dev/null"), link):
        with pytest.raises(SettingsError, match="no file"):
            write(path, "x", replace=replace)
    assert link.is_symlink()


def test_a_folder_that_is_not_there(tmp_path):
    """The error names the option that chooses another place."""
    with pytest.raises(SettingsError, match="--output"):
        write(tmp_path / "nowhere" / "map.csv", "x", replace=False)
