"""What our texts name exists: commands, options, exports, pages. Texts are the messages, the help and the documents."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from command_line import commands

from batch.cli.main import COMMANDS, cli
from batch.runtime.own_lines import OwnLines

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
]
SOURCES = sorted(path for name in ("batch", "userpool", "trigger", "sandbox") for path in (ROOT / name).rglob("*.py"))
OTHERS = [
    *sorted((ROOT / "deploy").glob("*.yaml")),
    *sorted((ROOT / "batch").rglob("*.jinja")),
    *sorted((ROOT / "batch").rglob("*.yaml")),
]
_TOOL = re.compile(
    r"\bcognito-migrate[ \n]+((?:(?![`\n()|;<&\"“”]|[.,:](?:\s|$)|[.]$| #| and | once| in | first| again).)+)"
)
_SPAN = re.compile(r"`([^`\n]+)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
# Words after the name of the tool that are prose and no command.
_PROSE = {"cognito-migrate", "is", "trigger's"}
_FILLED_IN = {"WHAT": "map", "N": "1", "N%": "1%", "DAY": "2026-03-01", "$": "2026-03-01", "…": ""}


class Text(NamedTuple):
    """A text of ours, and where it stands. What an f-string fills in is a 1."""

    where: str
    text: str


@cache
def messages() -> list[Text]:
    """Every literal of the source; a docstring is one, because click shows those of the commands."""
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values]
                found.append(Text(where, "".join(parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                found.append(Text(where, node.value))
    return found


@cache
def pages() -> list[Text]:
    """The documents, templates and the pages of the report."""
    return [Text(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in (*PAGES, *OTHERS)]


def named(text: Text) -> Iterator[str]:
    """The command lines of this tool in a text, without the tool's name."""
    for found in _TOOL.findall(text.text.replace("\\\n", " ")):
        yield found.strip()


def spans(text: Text) -> Iterator[str]:
    """The command lines that stand between backticks without the name of the tool, such as `scan --rebuild`."""
    for found in _SPAN.findall(text.text):
        if found.partition(" ")[0] in COMMANDS and " " in found and "=" not in found:
            yield found


def complaint(line: str) -> str | None:
    """What is wrong with a command line; None if click takes it, apart from what is left out."""
    words = shlex.split(line, comments=True)
    words = words[2:] if words[:1] == ["--config"] else words
    # `1` is what an f-string fills in. Anything else that no command can be called is prose.
    if not words or words[0] in _PROSE or not re.match(r"[a-z]", words[0]):
        return None
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        inner = command.get_command(click.Context(command), name)
        if inner is None:
            return f"there is no command {name}"
        command = inner
    if command.name == "sandbox":
        return _of_the_sandbox(words)
    return None if isinstance(command, click.Group) else _taken_by(command, words)


def _taken_by(command: click.Command, words: list[str]) -> str | None:
    given = [_FILLED_IN.get(word, word) for word in words]
    try:
        command.make_context(command.name, [word for word in given if word])
    except (click.exceptions.MissingParameter, click.exceptions.Exit):  # left out, or --help
        return None
    except click.UsageError as error:
        said = error.format_message()
        return None if "requires an argument" in said else said
    return None


def _of_the_sandbox(words: list[str]) -> str | None:
    known = set(_OPTION.findall((ROOT / "sandbox" / "__main__.py").read_text(encoding="utf-8")))
    known |= set(_OPTION.findall((ROOT / "sandbox" / "app.py").read_text(encoding="utf-8")))
    unknown = {word for word in words if _OPTION.fullmatch(word)} - known - {"--help"}
    return f"the sandbox has no {unknown}" if unknown else None


ALL = [*messages(), *pages()]
LINES = sorted({(line, text.where) for text in ALL for line in (*named(text), *spans(text))})


def test_the_texts_are_read():
    """Enough is found that a text which is not collected would be missed."""
    assert len(messages()) > 2000
    assert len([line for line, where in LINES if where.startswith("batch")]) > 100
    assert {"README.md", "docs/runbook.md", "docs/trigger.md"} <= {where for _, where in LINES}


def test_every_command_that_a_text_names_exists():
    """Each `cognito-migrate …` of a message, a help text or a document is taken by click: name, options, arguments."""
    wrong = [f"{where}: {line!r}: {said}" for line, where in LINES if (said := complaint(line))]
    assert not wrong, "\n".join(wrong)


def test_every_line_of_a_message_takes_the_configuration_in_use():
    """Each `cognito-migrate …` of a message gets `--config`, however it is written in the sentence."""
    lines = OwnLines()
    lines.use(Path("other.yaml"), COMMANDS)
    found = {
        (line, text.where): lines.typed(f"cognito-migrate {line}")
        for text in messages()
        if not text.where.startswith("sandbox/")  # which has no configuration before it writes one
        for line in named(text)
        if line.split()[0] in COMMANDS
    }
    assert len(found) > 100
    assert not {where for where, typed in found.items() if not typed.startswith("cognito-migrate --config other.yaml ")}


@pytest.mark.parametrize(
    "line",
    ["export conflict", "conflicts", "trigger detatch", "run --limits 3", "run --limit few", "reset --close-by soon"],
)
def test_what_does_not_exist_is_noticed(line):
    """A command, export, option or value that there is not is a complaint."""
    assert complaint(line)


def known_options() -> set[str]:
    """The options of all our commands, and of the programs in the sandbox."""
    ours = {
        option
        for one in (cli, *commands(cli).values())
        for parameter in one.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    declared = {
        str(argument.value).partition("=")[0]
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for argument in node.args[:2]
        if isinstance(argument, ast.Constant) and str(argument.value).startswith("--")
    }
    return ours | declared | {"--help", "--version"}


def test_every_option_that_a_message_names_exists():
    """Each `--option` in a literal of ours is an option of a command, of the sandbox, or of the AWS CLI's lines."""
    known = known_options()
    # A literal that is an option and nothing else is code: a part of a line that `by_hand` puts together.
    own = [one for one in messages() if not (one.where.startswith(_OF_AWS) or _OPTION.fullmatch(one.text))]
    assert not {(name, text.where) for text in own for name in _OPTION.findall(text.text) if name not in known}


# What these name are options of the AWS CLI: of lines that a person tries by hand, and of those that are held against
# AWS's model below.
_OF_AWS = ("userpool/by_hand.py", "batch/check/live/results.py")


def test_lines_of_the_aws_cli_are_made_in_one_place():
    """No message is written with an `aws …` line of its own, which could leave out the region or the profile."""
    wrong = [
        text.where
        for text in messages()
        if re.search(r"\baws (?:cognito-idp|dynamodb|lambda|iam|sts|ses|s3) [a-z]", text.text)
        and not text.where.startswith(("sandbox/", "userpool/by_hand.py:1:"))
    ]
    assert wrong == []


# Pages.


def anchors(path: Path) -> set[str]:
    """What of a page can be linked to, as GitHub makes it of the headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    """Each relative link is to a file and a heading that there are."""
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            wrong.append(link)
    assert not wrong


def test_every_page_that_a_message_names_exists():
    """Each docs/….md in a literal is a file."""
    found = {(name, text.where) for text in messages() for name in re.findall(r"\bdocs/[\w-]+\.md", text.text)}
    assert len(found) > 5
    assert not {one for one in found if not (ROOT / one[0]).exists()}
