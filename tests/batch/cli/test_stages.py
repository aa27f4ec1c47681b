"""Every command in every state of a migration, on real inventories: refused or not as the table says."""

from __future__ import annotations

import re
import shutil
import uuid
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import direct
import pytest
from command_line import Migration, step
from looking import made

from batch.cli.main import COMMANDS
from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory, fingerprint, inventory_to_read
from batch.inventory.milestones import End
from batch.inventory.stages import ACTIONS, NOTHING_CHANGED, STATES, Phase, refusal, stages_of
from batch.settings import config as configuration
from sandbox.local import local_client
from sandbox.made_up.seed import seed_source
from sandbox.server import Sandbox

ELSEWHERE = {"demo", "sandbox", "init"}  # they look at no inventory, but for `init --reverse`
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"
# Without --yes and without a terminal, whatever is not refused ends before it changes a pool or the ledger.
WORDS = {
    "scan --rebuild": ("scan", "--rebuild"),
    "sync": ("sync", "--max-changes", "0", "--max-shrink", "100"),
    "status": ("status", "--offline"),
    "report": ("report", "--offline", "--output", "{folder}/report.html"),
    "explain": ("explain", "nobody"),
    "export map": ("export", "map", "--output", "-"),
    "export": ("export", "failed", "--output", "-"),
    "trigger test": ("trigger", "test", "--username", "nobody"),
    "trigger attach": ("trigger", "attach", "--function", ARN, "--apply"),
    "trigger detach": ("trigger", "detach", "--function", ARN, "--apply"),
    "reset": ("reset", "--output", "{folder}/a.csv", "--help-desk", "{folder}/b.csv"),
    "reset --close-by": ("reset", "--close-by", "2020-01-01"),
    "close": ("close", "nobody"),
    "init --reverse": ("init", "--reverse", "--output", "{folder}/reverse.yaml"),
    "finish": ("finish", "--despite-left", "99"),
    "forget": ("forget", "nobody"),
    "recover": ("recover", "--missing"),
}


def words_of(action: str, folder: Path) -> list[str]:
    return [word.format(folder=folder).replace("2020-01-01", _today()) for word in WORDS.get(action, action.split())]


@dataclass
class States:
    """A migration in each state, made when it is first asked for."""

    folder: Path
    server: Sandbox
    old: str

    def __post_init__(self) -> None:
        self.made: dict[str, Migration] = {}

    def __getitem__(self, state: str) -> Migration:
        if state not in self.made:
            folder = self.folder / uuid.uuid4().hex
            folder.mkdir()
            self.made[state] = made(folder, self.server, self.old)
            _bring(self.made[state], state)
        return self.made[state]


def _bring(moving: Migration, state: str) -> None:
    """Bring a migration into a state, by the commands that lead there."""
    whole = [("scan",), ("run", "--yes")]
    cut = [*whole, ("cutover", "--yes")]
    ended = [*cut, ("finish", "--yes", "--despite-left", "99")]
    ways = {
        "no inventory": [],
        "another command runs": whole,
        "scan cut short": [("scan",)],
        "scanned": [("scan",)],
        "planned": [("scan",), ("plan",)],
        "partly run": [("scan",), ("run", "--yes", "--limit", "1")],
        "run": whole,
        "undone": [*whole, ("undo", "--yes")],
        "rebuild cut short": [("scan",)],
        "rebuilt": whole,
        "cut over": cut,
        "reset begun": [*cut, ("reset", "--close-by", "2020-01-01", "--yes")],
        "cut-over taken back": [*cut, ("cutover", "--undo", "--yes")],
        "finished": ended,
        "reopened": [*ended, ("finish", "--reopen", "--yes")],
        "purge cut short": ended,
        "purged": ended,
    }
    for words in ways[state]:
        result = moving(*(word.replace("2020-01-01", _today()) for word in words))
        assert result.code in {0, 4}, result.err
    if state == "rebuilt":
        moving.state.unlink()
        step(moving, "scan", "--rebuild")
    # What only a kill at the right moment leaves, or two minutes of waiting.
    with _inventory(moving) if ways[state] else nullcontext() as inventory:
        if state == "scan cut short":
            inventory.set_meta(meta_keys.SCAN_STARTED, 0)
        if state == "rebuild cut short":
            inventory.set_meta(meta_keys.REBUILDING, "")
        if state.startswith("purge"):
            End(1.0, "begun" if state == "purge cut short" else "done").save(inventory)


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _inventory(moving: Migration) -> Inventory:
    config = configuration.load(moving.config)
    return Inventory.open(moving.state, fingerprint(config))


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """A migration of three users in each state."""
    with Sandbox() as server, direct.called(server), local_client() as client:
        old = seed_source(client, users=3, random=Random(5), kind="plain").pool_id
        yield States(tmp_path_factory.mktemp("states"), server, old)


def test_every_command_is_a_row():
    """The table has every command, and names no other."""
    rows = {action.split()[0] for action in ACTIONS}
    assert rows | ELSEWHERE == {*COMMANDS}


@pytest.mark.parametrize("state", [state for state in STATES if state not in {"no inventory", "another command runs"}])
def test_a_state_is_the_stages_that_the_table_says(states, state):
    """A real inventory in each state is in the very stages that stand in the table."""
    with inventory_to_read(configuration.load(states[state].config)) as inventory:
        assert stages_of(inventory) == STATES[state]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_command_in_a_state_ends_as_the_table_says(states, tmp_path, state, action):
    """Where the table refuses, the command says why, that nothing changed, and the remedy; else it goes on."""
    there = states[state]
    refused = refusal(action, STATES[state])
    moving = Migration(tmp_path, there.source, there.target)
    moving.configure(**there.settings)
    if there.state.exists():
        shutil.copy(there.state, moving.state)
    before = moving.state.read_bytes() if moving.state.exists() else None
    with _inventory(moving) if state == "another command runs" else closing(open(moving.config)):  # noqa: PTH123
        result = moving(*words_of(action, tmp_path))
    if refused:
        assert result.code == refused.code, result.err
        assert refused.remedy.splitlines()[-1].strip() in result.err or Phase.HELD in STATES[state]
        if not STATES[state] & {Phase.MISSING, Phase.HELD}:
            assert NOTHING_CHANGED in result.err
        assert (moving.state.read_bytes() if moving.state.exists() else None) == before
        assert not [file for file in tmp_path.iterdir() if file.suffix in {".csv", ".html"} or "reverse" in file.name]
    else:
        assert "Traceback" not in result.err
        assert NOTHING_CHANGED not in result.err, result.err
        assert result.code != 6, result.err


def documented() -> dict[tuple[str, str], str]:
    """The cells of the table in docs/inventory.md, by command and state."""
    document = (Path(__file__).parents[3] / "docs" / "inventory.md").read_text(encoding="utf-8")
    section = document.partition("## Which command when")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    found = {}
    for row in rows:
        if row[0] == "command":
            head = row
        elif match := re.fullmatch(r"`(.+)`", row[0]):
            found |= {(match[1], state): cell for state, cell in zip(head[1:], row[1:], strict=True)}
    return found


def test_the_documented_table_is_that_of_the_code():
    """docs/inventory.md has every pair of command and state, with the exit code where it is refused."""
    table = {
        (action, state): str(refused.code) if (refused := refusal(action, stages)) else "·"
        for action in ACTIONS
        for state, stages in STATES.items()
    }
    assert documented() == table


def test_an_undo_after_the_cut_over_says_what_would_be_lost(states):
    """It counts the users, leads to the way back, and says that the cut-over is to be taken back first."""
    result = states["cut over"]("undo", "--yes", "--force-used")
    assert result.code == 2
    for said in ("up to 3 of its users", NOTHING_CHANGED, "init --reverse", "cognito-migrate cutover --undo"):
        assert said in result.err


def test_an_inventory_that_does_not_know_of_the_cut_over_does_not_undo_either(states, tmp_path):
    """Where only the ledger knows of the cut-over, `undo` is refused by what the ledger knows."""
    there = states["cut over"]
    moving = Migration(tmp_path, there.source, there.target)
    moving.configure(**there.settings)
    shutil.copy(there.state, moving.state)
    with _inventory(moving) as inventory:
        inventory.set_meta(meta_keys.CUTOVER, None)
    for words in (("undo", "--yes"), ("undo", "--dry-run")):
        result = moving(*words)
        assert (result.code, "cutover --undo" in result.err) == (2, True)


def test_what_is_refused_is_in_no_history_and_makes_no_backup(states, tmp_path):
    """Runs without a yes, and with the digest of another plan, record nothing and push no backup out."""
    there = states["partly run"]
    moving = Migration(tmp_path, there.source, there.target)
    moving.configure(**there.settings)
    shutil.copy(there.state, moving.state)
    before = step(moving, "status", "--offline", "--json").json["runs"]
    files = sorted(path.name for path in tmp_path.iterdir() if "backup" in path.name)
    for words in (("run",), ("run", "--plan", "0"), ("undo",), ("cutover",), ("finish",), ("forget", "nobody")):
        assert moving(*words).code
    assert step(moving, "status", "--offline", "--json").json["runs"] == before
    assert sorted(path.name for path in tmp_path.iterdir() if "backup" in path.name) == files


def test_an_undo_makes_a_backup_and_is_recorded(states, tmp_path):
    """Before an undo writes there is a copy of the inventory, and the history has it with its counts."""
    made_so = States(tmp_path, states.server, states.old)
    moving = made_so["run"]
    for path in moving.folder.glob("*backup*"):
        path.unlink()
    step(moving, "undo", "--yes")
    run = step(moving, "status", "--offline", "--json").json["runs"][0]
    assert (run["command"], run["exit_code"], run["counts"]["undone"]) == ("undo", 0, 3)
    assert len([*moving.folder.glob("*backup*")]) == 1
