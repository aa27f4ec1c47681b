"""docs/runbook.md followed to the letter, from the first look to the retirement of the old pool."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import direct
import pytest
import warm
import yaml
from command_line import FAST, command, commands
from following import AwsCall, Block, blocks, learn, replaced
from runbook_world import LATE, NATIVE, PILOTS, PLAYED, an_old_pool, names
from templates import template
from triggering import NEW_PASSWORD, OLD_PASSWORD, World

from batch.cli.main import cli
from sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PROGRESS = re.compile(r"^[^\n]+: \d+(?: of \d+)?, [\d.]+/s[^\n]*\n", re.MULTILINE)
WRITING = {"UserCreation", "UserAccountRecovery", "UserUpdate", "UserResourceUpdate"}
AT_ONCE = {**FAST, "LimitManagement": 100_000}
READING = {category: limit for category, limit in AT_ONCE.items() if category not in WRITING}
FOLDERS = {"mkdir": Path.mkdir, "cd": os.chdir}


@dataclass
class Follower:
    """Somebody who does what the runbook says, in a folder, on local pools."""

    world: World
    endpoint_url: str
    names: dict[str, str]
    said: list[tuple[str, str]] = field(default_factory=list)
    compare: bool = True

    def follow(self, block: Block) -> None:
        """Do what a block says, by its kind."""
        {"": self._run, "yaml": self._set, "csv": self._decide, "aws": self._look}[block.kind](block)

    def _run(self, block: Block) -> None:
        for one in block.commands():
            words = one.words(self.names)
            if words[0] in FOLDERS:
                FOLDERS[words[0]](Path(words[1]))
                continue
            code, answer = self._tool(words[1:]) if words[0] == "cognito-migrate" else self._aws(words)
            self.said.append((one.text, answer))
            assert code == one.code, f"line {one.line}: {one.text} ends with code {code}:\n{answer}"
            if one.shown and self.compare:
                self.names |= learn(one.shown, answer, self.names)

    def _tool(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "sandbox":
            return self._sandbox(words)
        self._locally(plainly=words[0] == "plan")
        result = command(*words)
        assert "Traceback" not in result.err
        return result.code, PROGRESS.sub("", result.err) + result.out

    def _sandbox(self, words: list[str]) -> tuple[int, str]:
        """Start it, and end it, as Ctrl-C would."""
        words = ["batch", "sandbox", "--until-stdin-closes", *words[1:]]
        with warm.start(*words, stdin=warm.PIPE, stdout=warm.PIPE, stderr=warm.PIPE) as process:
            assert process.stdout
            answer = process.stdout.readline()
            process.communicate(timeout=60)
        return 0, answer

    def _aws(self, words: list[str]) -> tuple[int, str]:
        call = AwsCall.of(words)
        client = boto3.client(
            call.service, "us-east-1", endpoint_url=self.endpoint_url, aws_access_key_id="x", aws_secret_access_key="x"
        )
        getattr(client, call.operation)(**call.parameters)
        return 0, ""

    def _set(self, block: Block) -> None:
        """Put settings into config.yaml, as a person would by hand."""
        self._configure(yaml.safe_load(replaced("\n".join(block.lines), self.names)))

    def _configure(self, settings: dict[str, Any]) -> None:
        path = Path("config.yaml")
        there = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(there | settings, allow_unicode=True), encoding="utf-8")

    def _locally(self, *, plainly: bool) -> None:
        """Let the settings lead to this machine, and nobody wait; what plans say of quotas is said of the real ones."""
        for path in Path().glob("config*.yaml"):
            settings = yaml.safe_load(path.read_text(encoding="utf-8"))
            for part in ("source", "target", "ledger"):
                if settings.get(part):
                    settings[part]["endpoint_url"] = self.endpoint_url
            settings["rate"] = {"limits": READING} if plainly else {"share": 1.0, "limits": AT_ONCE}
            path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")

    def _decide(self, block: Block) -> None:
        """Write the file of decisions."""
        Path("decisions.csv").write_text("".join(f"{line}\n" for line in block.lines), encoding="utf-8")

    def _look(self, block: Block) -> None:
        """What is for AWS alone is not run; that it could be is looked at elsewhere."""


def follow(follower: Follower, found: Iterable[Block]) -> None:
    """Follow the blocks, and let people live their lives where the prose says that they do."""
    for block in found:
        for words, play in PLAYED.items():
            if words in block.prose:
                play(follower.world)
        follower.follow(block)


# The tests: the whole of it in one go, and what cannot be run is at least looked at.


def test_the_runbook_is_followed_to_the_letter(tmp_path, monkeypatch):
    """Every command of it ends as it says, with the answer that it shows, from the first look to the retirement."""
    monkeypatch.chdir(tmp_path)
    world = an_old_pool()
    with Sandbox(cognito=world.local) as server, direct.called(server):
        follow(Follower(world, server.endpoint_url, names(world)), blocks(RUNBOOK))
    for name in (*PILOTS, *NATIVE[5:12]):
        assert world.signs_in(name, OLD_PASSWORD)
    for name in LATE:
        assert not world.signs_in(name, OLD_PASSWORD)
        assert world.signs_in(name, NEW_PASSWORD)
    assert {*PILOTS} <= {user for user in NATIVE if "pilot" in world.new_groups(user)}


def test_little_is_left_to_aws():
    """Blocks are of the four kinds that the runbook names, and what no sandbox can answer is a small part of it."""
    found = Counter(block.kind for block in blocks(RUNBOOK))
    assert {*found} == {"", "yaml", "csv", "aws"}
    assert found["aws"] <= 4
    run = sum(1 for block in blocks(RUNBOOK) if not block.kind for _ in block.commands())
    assert run >= 60
    assert {words: RUNBOOK.count(words) for words in PLAYED} == dict.fromkeys(PLAYED, 1)


def aws_lines() -> list[list[str]]:
    """The lines that are for AWS alone, as words."""
    text = "\n".join("\n".join(block.lines) for block in blocks(RUNBOOK) if block.kind == "aws")
    return [shlex.split(line) for line in text.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("words", aws_lines(), ids=lambda words: " ".join(words[:3]))
def test_what_is_for_aws_alone_exists(words):
    """Its lines name operations and options that there are; parameters of a stack are those of its template."""
    match words:
        case ["cognito-migrate", *rest]:
            name = " ".join(word for word in rest if word[0] != "-")
            options = {option for parameter in commands(cli)[name].params for option in parameter.opts}
            assert {word for word in rest if word[0] == "-"} <= options
        case ["aws", "s3", "cp", _, to]:
            assert to.startswith("s3://")
        case ["aws", "cloudformation", "deploy", *rest]:
            at = rest.index("--parameter-overrides")
            parameters = template(Path(rest[rest.index("--template-file") + 1]).name)["Parameters"]
            given = {pair.partition("=")[0] for pair in rest[at + 1 :]}
            needed = {name for name, one in parameters.items() if "Default" not in one}
            assert needed <= given <= {*parameters}
        case _:
            AwsCall.of(words)


def anchors(path: Path) -> set[str]:
    """What of a page can be linked to, as GitHub makes it of the headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere():
    """Each relative link of the runbook is to a page and a heading that there are."""
    found = re.findall(r"\]\(([^)\s]+)\)", RUNBOOK)
    assert len(found) > 30
    for link in found:
        name, _, anchor = link.partition("#")
        path = ROOT / "docs" / (name or "runbook.md")
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


# How answers are compared.


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (["Done: 5 users."], "Done: 6 users.\n"),
        (["Done: 5 users."], "Done: 5 users.\nError: no.\n"),
        (["…", "Done."], "Done.\nMore.\n"),
        (["at 2026-01-01 in 4 s"], "at noon in 4 s\n"),
    ],
)
def test_another_answer_is_noticed(shown, said):
    """Another number, a line too many, and what is no date where one is shown, are differences."""
    with pytest.raises(AssertionError, match="The guide shows"):
        learn(tuple(shown), said, {})


def test_what_may_be_another_is_taken_for_the_same():
    """Dates, times and what `…` stands for may be others, and digests are remembered."""
    shown = ("…", "Digest 6bda7550e8b7b257, in 4 s, of 2026-01-01 10:00 UTC", "5 users, …")
    said = "One.\nTwo.\nDigest  0123456789abcdef, in 2.5 h, of 2027-11-23 09:59 UTC\n5 users, 6 groups\n"
    assert learn(shown, said, {}) == {"6bda7550e8b7b257": "0123456789abcdef"}


@pytest.mark.parametrize(
    "line",
    [
        "aws cognito-idp describe-user-poool --user-pool-id x",
        "aws cognito-idp describe-user-pool --pool-id x",
        "aws cognito-idp describe-user-pool",
    ],
)
def test_a_line_that_aws_would_refuse_is_noticed(line):
    """An operation or an option that there is not, and an option that is missing, are found without AWS."""
    with pytest.raises(AssertionError):
        AwsCall.of(line.split())
