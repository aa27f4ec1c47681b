"""`report` as a person at a terminal has it, and the page as a browser has it."""

from __future__ import annotations

import shutil
import stat
import subprocess
import uuid
from random import Random

import pytest
from command_line import FAST, Migration
from parsed_page import Parsed

from batch.inventory.inventory import Inventory
from sandbox.faults import Fault
from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import make_target, seed_source

BROWSER = shutil.which("chromium")


USERS = 20


def made(folder, sandbox) -> Migration:
    """A migration with a ledger, at half of a great quota, whose old pool is scanned."""
    with local_client() as client:
        source = seed_source(client, users=USERS, random=Random(3), add_federated=add_federated).pool_id
        target = make_target(client, kind="plain")
    endpoint = {"endpoint_url": sandbox.endpoint_url}
    moving = Migration(folder, source, target)
    moving.configure(
        source={"user_pool_id": source, **endpoint},
        target={"user_pool_id": target, **endpoint},
        ledger={"table": f"ledger-{uuid.uuid4().hex[:8]}", **endpoint},
        rate={"share": 0.5, "limits": FAST},
        workers=4,
    )
    assert moving("scan").code == 0
    return moving


@pytest.fixture(scope="module")
def done(tmp_path_factory, sandbox):
    """A migration that has run to its end, for all who only look."""
    moving = made(tmp_path_factory.mktemp("done"), sandbox)
    assert moving("run", "--yes").code == 0
    return moving


@pytest.fixture
def migrated(done, sandbox):
    """The same, with its settings and nothing called yet."""
    settings = dict(done.settings)
    sandbox.reset_counts()
    yield done
    sandbox.faults.replace([])
    done.settings = settings
    done.configure()


def reported(moving, *words: str, code: int = 0) -> str:
    """The page that the command writes."""
    path = moving.folder / "page.html"
    result = moving("report", "--out", str(path), *words)
    assert result.code == code, result.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return moving.beside(path.read_text(encoding="utf-8"))


def names(moving) -> set[str]:
    with Inventory.open_to_read(moving.state, {}) as inventory:
        return {name for (name,) in inventory.execute("SELECT username FROM users")}


def test_the_report_at_any_time(tmp_path, sandbox):
    """There is a report after the scan, with the plan, and after the run, with the very calls that arrived."""
    moving = made(tmp_path, sandbox)
    assert "cognito-migrate plan" in reported(moving)
    assert moving("plan").code == 0
    assert "cognito-migrate run" in reported(moving)
    sandbox.reset_counts()
    assert moving("run", "--yes").code == 0
    called = dict(sandbox.calls)
    shown = Parsed(reported(moving))
    assert f"The ledger knows {USERS} persons" in shown.section("passwords")
    assert "cognito-migrate verify" in shown.section("glance")
    assert not {name for name in names(moving) if name in shown.seen.split()}
    with Inventory.open_to_read(moving.state, {}) as inventory:
        rows = inventory.execute("SELECT category, sum(calls), max(quota) FROM calls GROUP BY 1")
        kept = {category: (calls, quota) for category, calls, quota in rows}
    assert kept["UserCreation"] == (called["AdminCreateUser"], 100_000)
    assert kept["UserAccountRecovery"][0] == called["AdminSetUserPassword"]
    assert f"UserCreation {called['AdminCreateUser']} calls" in shown.section("calls")


def test_neither_pool_is_asked_and_offline_nobody(migrated, sandbox):
    """The report reads the ledger, and with --offline nothing at all, which it says."""
    sandbox.reset_counts()
    reported(migrated)
    assert set(sandbox.calls) == {"DynamoDB.Scan"}
    sandbox.reset_counts()
    assert "--offline" in Parsed(reported(migrated, "--offline")).section("passwords")
    assert dict(sandbox.calls) == {}


def test_a_ledger_that_cannot_be_read(migrated, sandbox):
    """The page is made and says why the ledger is not in it; the command ends with the code of the failure."""
    sandbox.faults.replace([Fault("error", "DynamoDB.Scan", code="AccessDeniedException")])
    assert "dynamodb:Scan" in Parsed(reported(migrated, code=3)).section("passwords")


def test_beside_a_run(migrated):
    """A run that has the inventory is no obstacle, and no byte of it is changed."""
    with Inventory.open(migrated.state, {}) as inventory, inventory.transaction():
        inventory.set_meta("test", 1)
        reported(migrated, "--offline")
    before = migrated.state.read_bytes()
    reported(migrated)
    assert migrated.state.read_bytes() == before


def test_a_report_is_replaced_and_nothing_else(migrated):
    """The report of yesterday gives way to today's; any other file, the inventory too, is refused and kept."""
    reported(migrated, "--offline", "--title", "The first")
    assert "The first" not in reported(migrated, "--offline", "--title", "The second")
    for other in (migrated.state, migrated.config):
        before = other.read_bytes()
        refused = migrated("report", "--output", str(other))
        assert (refused.code, "is no report" in refused.err) == (2, True)
        assert other.read_bytes() == before
    for other in ("-", str(migrated.folder)):
        refused = migrated("report", "--output", other)
        assert (refused.code, "is no" in refused.err or "is a file" in refused.err) == (2, True)


def test_the_result_as_json(migrated):
    """With --json the command says where the page is, how long, and whether it names users."""
    path = migrated.folder / "page.html"
    result = migrated("report", "--output", str(path), "--with-names", "--offline", "--json")
    assert result.json == {
        "output": str(path),
        "bytes": path.stat().st_size,
        "names": True,
        "ledger_not_read": "--offline.",
    }


def test_before_the_scan(migrated):
    """Without an inventory the command says to scan, and writes nothing."""
    migrated.configure(state=str(migrated.folder / "none.db"))
    result = migrated("report", "--output", str(migrated.folder / "none.html"))
    assert (result.code, "cognito-migrate scan" in result.err) == (2, True)
    assert not (migrated.folder / "none.html").exists()


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
def test_a_browser_has_nothing_to_complain_of(migrated):
    """Opened from disk in a browser, the page's script runs, and nothing is written to the console."""
    reported(migrated, "--with-names")
    shown = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *(f"--user-data-dir={migrated.folder / 'browser'}", "--enable-logging=stderr", "--dump-dom"),
            (migrated.folder / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '<button type="button">' in shown.stdout
    assert "CONSOLE" not in shown.stderr
