"""What is said of an option that cannot be taken: every number and every day of every command, in one sentence."""

from __future__ import annotations

import re

import click
import pytest
from command_line import command, commands

from batch.cli.main import cli
from batch.cli.terminal import Day, Number

OPTIONS = [
    (name, option)
    for name, one in sorted(commands(cli).items())
    for option in one.params
    if isinstance(option, click.Option) and option.type.name not in {"boolean", "text", "choice"}
]
_VALUES = ("yesterday", "-1", "1e400", "nan", "", "2026-13-45", "01.03.2026", "1_0", "٣")
VALUES = [
    (name, option.opts[0], value)
    for name, option in OPTIONS
    if isinstance(option.type, Day | Number)
    for value in (*_VALUES, *(["20260301", "2026-W09-7"] if isinstance(option.type, Day) else []))
]


def test_every_number_and_day_is_one_of_ours():
    """No option is left to the words of the library, such as "does not match the format '%Y-%m-%d'"."""
    others = {type(option.type) for _, option in OPTIONS} - {Day, Number, click.Path}
    assert {one.__name__ for one in others} == {"_MostChanges"}
    assert sum(isinstance(option.type, Day) for _, option in OPTIONS) == 2


@pytest.mark.parametrize(("name", "option", "value"), VALUES)
def test_a_value_that_cannot_be_taken_is_refused_in_one_sentence(name, option, value):
    """A word, a number out of bounds, or a day in another form is refused with what is taken instead."""
    refused = command(*name.split(), option, value)
    said = refused.err.strip().splitlines()[-1]
    assert refused.code == 2
    assert re.search(r"is no day: write it as YYYY-MM-DD|is not a (whole )?number of [0-9]", said), said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("reset", "--close-by", "yesterday"), "'yesterday' is no day: write it as YYYY-MM-DD, like 2026-03-01."),
        (("run", "--limit", "0"), "'0' is not a whole number of 1 or more: give one."),
        (("sync", "--max-shrink", "101"), "'101' is not a number of 0 to 100: give one."),
        (("sync", "--max-changes", "few"), "'few' is not a number of users, like 500, or a percentage, like 5%."),
        (("demo", "--users", "7"), "'7' is not a whole number of 20 to 5000: give one."),
    ],
)
def test_the_sentence_says_what_is_taken(words, said):
    """The last line names the option and says which values it takes."""
    assert command(*words).err.strip().splitlines()[-1] == f"Error: Invalid value for '{words[1]}': {said}"
