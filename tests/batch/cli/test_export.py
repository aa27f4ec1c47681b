"""`export`, as a person at a terminal has it."""

from __future__ import annotations

import json
import stat

from looking import ledger_of, ok, table
from pools import read_pool

from userpool.person import PersonState


def test_a_map_of_old_and_new(half, client):
    """`export map` has the very names and subs of both pools, in a file that only its owner may read."""
    path = half.folder / "map.jsonl"
    result = ok(half("export", "map", "--format", "jsonl", "--output", str(path), "--json"))
    assert result.json == {"what": "map", "output": str(path), "rows": 8}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    there = read_pool(client, half.target).users
    assert {row["sub"]: (row["new_username"], row["new_sub"]) for row in rows} == {
        sub: (user.username, user.sub) for sub, user in there.items()
    }


def test_stdout_is_for_one_document(half):
    """The rows on stdout and --json exclude each other, and that is said before anything is read."""
    both = half("export", "map", "--output", "-", "--json")
    assert (both.code, both.json["error"]["name"], "leave one out" in both.err) == (2, "settings", True)


def test_the_file_is_called_after_what_is_in_it(half, monkeypatch):
    """Without --output the file is named for the list and its format; a second one needs --force."""
    monkeypatch.chdir(half.folder)
    assert "Wrote 8 rows to created.csv." in ok(half("export", "created")).out
    again = half("export", "created")
    assert (again.code, "--force" in again.err) == (2, True)
    ok(half("export", "created", "--force"))
    ok(half("export", "created", "--format", "jsonl"))
    assert (half.folder / "created.jsonl").exists()


def test_persons_of_a_state(half):
    """Lists of the ledger have exactly the persons of the state; without a ledger they are refused."""
    people = [one for some in ledger_of(half).persons() for one in some]
    pending = table(half("export", "pending", "--output", "-"))
    assert {row["sub"] for row in pending} == {one.sub for one in people if one.state is PersonState.PENDING}
    half.configure(ledger=None)
    refused = half("export", "pending", "--output", "-")
    assert (refused.code, "no ledger" in refused.err) == (2, True)
