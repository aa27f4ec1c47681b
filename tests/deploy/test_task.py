from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledgers import new_table
from pools import read_pool
from task import LONG, Task, batch, properties
from windows import eventually, window

from batch.cli.terminal import Exit
from batch.settings.config import load
from sandbox.faults import Fault
from sandbox.local import local_client
from sandbox.made_up.seed import make_target

USERS = 30


@pytest.fixture(scope="module")
def old_pool():
    """An old pool with thirty users."""
    with local_client() as client:
        made = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
        for number in range(USERS):
            client.admin_create_user(UserPoolId=made, Username=f"user-{number:03}", MessageAction="SUPPRESS")
        yield made


@pytest.fixture
def task(tmp_path, sandbox, old_pool, client):
    """Makes tasks of one stack, with a file system of their own; parameters are the stack's."""
    target, ledger = make_target(client, kind="plain"), new_table().name
    sandbox.reset_counts()

    def make(*, inside: bool = True) -> Task:
        hours = window(-1, 2) if inside else window(3, 5)
        return Task(
            batch(
                SourceUserPoolId=old_pool,
                TargetUserPoolId=target,
                LedgerTable=ledger,
                WindowStart=hours["start"],
                WindowEnd=hours["end"],
                TimeZone=hours["timezone"],
                Share="1",
            ),
            tmp_path,
            sandbox.endpoint_url,
        )

    yield make
    sandbox.faults.replace([])


def counts_as_a_run(said: str) -> bool:
    """Whether the metric of nights that ran counts this log: one of the filter's terms is in a line."""
    terms = re.findall(r'\?"([^"]+)"', properties(batch(), "HasRun")["FilterPattern"])
    assert terms
    return any(term in line for line in said.splitlines() for term in terms)


def test_outside_of_the_window_the_task_does_nothing(task, sandbox):
    """Outside of the window it ends with code 4, no call is made, and the night does not count as one that ran."""
    code, said = task(inside=False).run()
    assert code == Exit.STOPPED_EARLY, said
    assert "It opens" in said
    assert sandbox.calls.total() == 0
    assert not counts_as_a_run(said)


@contextmanager
def ended(process: subprocess.Popen[str]):
    """Leave no process behind."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_night_that_is_stopped_goes_on_in_the_next(task, sandbox, client, old_pool):
    """Inside of the window, alone, stopped by SIGTERM in the middle and rerun, the task brings everybody over once."""
    sandbox.faults.replace([Fault("throttle", "AdminCreateUser", skip=5)])  # so that it is in the middle until told
    with ended(task().start()) as first:
        assert eventually(lambda: sandbox.succeeded["AdminCreateUser"] >= 5 or first.poll() is not None)
        assert first.poll() is None, first.communicate()
        code, said = task().run()
        assert code == Exit.LOCKED, said
        first.send_signal(signal.SIGTERM)
        said, _ = first.communicate(timeout=LONG)
    assert first.returncode == 130, said
    assert sandbox.succeeded["AdminCreateUser"] == 5
    sandbox.faults.replace([])
    code, said = task().run()
    assert code == 0, said
    assert counts_as_a_run(said)
    assert sandbox.succeeded["AdminCreateUser"] == USERS
    target = load(task().folder / "inventory" / "config.yaml").target.user_pool_id
    both = (set(read_pool(client, one, key=lambda user: user.username).users) for one in (old_pool, target))
    assert next(both) == next(both)


def test_nobody_else_can_read_the_folder(task):
    """What the entry point writes beside the inventory is readable by its owner alone, and whole."""
    outside = task(inside=False)
    outside.run()
    written = list((outside.folder / "inventory").iterdir())
    assert [path.name for path in written] == ["config.yaml"]
    assert written[0].stat().st_mode & 0o077 == 0


def test_without_a_configuration_the_one_in_the_folder_stands(task, tmp_path):
    """In an image that is run by hand, the configuration is the folder's own."""
    folder = tmp_path / "inventory"
    folder.mkdir()
    ran = entry_point(tmp_path, COGNITO_MIGRATE_FOLDER=str(folder))
    assert ran.returncode == Exit.USAGE
    assert f"There is no {folder / 'config.yaml'}" in ran.stderr


@pytest.mark.parametrize(("folder", "code"), [("", Exit.USAGE), ("file/folder", Exit.FATAL)])
def test_a_folder_that_is_none_is_one_sentence(tmp_path, folder, code):
    """A folder that is not named, or cannot be made, ends the task with a sentence that tells the remedy."""
    (tmp_path / "file").touch()
    ran = entry_point(tmp_path, COGNITO_MIGRATE_FOLDER=folder and str(tmp_path / folder))
    assert ran.returncode == code
    assert ran.stderr.startswith("Error: ")
    assert len(ran.stderr.splitlines()) == 1


def entry_point(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        Task(batch(), tmp_path, "").command(),
        env={"PATH": os.defpath, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
