"""The command line in this process: a configured migration, and how its commands end."""

from __future__ import annotations

import io
import json
import shlex
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import warm
import yaml

from batch.cli import main as cli
from userpool.quotas import pace_key

FAST = dict.fromkeys(
    [
        "UserCreation",
        "UserAccountRecovery",
        "UserRead",
        "UserUpdate",
        "UserResourceRead",
        "UserList",
        "UserPoolRead",
        "UserPoolResourceRead",
        "UserPoolResourceUpdate",
    ],
    100_000,
)
READS = ("AdminGet", "AdminList", "Describe", "Get", "List")


@dataclass
class Result:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)


@dataclass
class Migration:
    """A configured migration between two pools, to be driven over the command line."""

    folder: Path
    source: str
    target: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Where the configuration is."""
        return self.folder / "config.yaml"

    @property
    def state(self) -> Path:
        """Where the inventory is."""
        return self.folder / "migration.db"

    def configure(self, **settings: Any) -> None:
        """Change settings, by top-level key."""
        self.settings |= settings
        self.config.write_text(yaml.safe_dump(self.settings, allow_unicode=True), encoding="utf-8")

    def __call__(self, *words: str) -> Result:
        """Run a command in this process. Its lines of our own are given without `--config`, as beside config.yaml."""
        said = command("--config", str(self.config), *words)
        return Result(said.code, *(self.beside(text) for text in (said.out, said.err)))

    def beside(self, text: str) -> str:
        """Return what a command has said, or written, with its lines as if it were called beside config.yaml."""
        return text.replace(f"cognito-migrate --config {shlex.quote(str(self.config))} ", "cognito-migrate ")

    def start(self, *words: str) -> warm.Process:
        """Start a command as a process of its own."""
        return warm.start("batch", *words, folder=self.folder, stdout=warm.PIPE, stderr=warm.PIPE)


def command(*words: str, out: io.StringIO | None = None) -> Result:
    """Run the command line in this process; `out` is its stdout."""
    out, err, argv = out or io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["cognito-migrate", *words]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = argv
    return Result(code, out.getvalue(), err.getvalue())


def writes(calls: Counter[str]) -> Counter[str]:
    """The calls that can change a pool."""
    return Counter({operation: count for operation, count in calls.items() if not operation.startswith(READS)})


def step(migration, *words: str):
    """Run a command that must end well, and return its result."""
    result = migration(*words)
    assert result.code == 0, result.err
    return result


def run_as_planned(moving, server):
    """Scan, plan, and run; return the calls of the plan and those that the server counted, by what limits them."""
    assert moving("scan").code == 0
    planned = {name: load["calls"] for name, load in moving("plan", "--json").json["estimate"]["loads"].items()}
    server.reset_counts()
    assert moving("run", "--yes").code == 0
    counted = Counter()
    for operation, number in server.calls.items():
        if not operation.startswith("DynamoDB"):
            counted[pace_key(operation)] += number
    return planned, dict(counted)


def commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    """The commands of a group by their whole names, and those of the groups in it."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        found[f"{before}{name}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{before}{name} ")
    return found
