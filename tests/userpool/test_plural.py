"""Numbers and their nouns agree, in every text that a person may read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from userpool.plural import plural

ROOT = Path(__file__).parents[2]
FOLDERS = ("batch", "trigger", "userpool")
NOUNS = (
    "user|person|people|group|membership|row|call|factor|day|hour|minute|change|code|name|file|run|attribute|link|"
    "provider|collision|address|pool|client|backup"
)
# One or two words may stand between the number and its noun.
COUNTED = re.compile(rf" (?:[a-z-]+ ){{0,2}}?(?:(?:{NOUNS})(?:s|es)?|others|are|were|have)\b")
# Right before such a word stands a text: a name, an id, a moment, a list of them. No number, so nothing has to agree.
TEXTS = {
    "'ALLOW_USER_PASSWORD_AUTH' if managed else named",
    "'old' if self.name == 'source' else 'new'",
    "machine.state",
    "moment(run['ended'])",
    "name",
    "path",
    "pool_id",
    "program",
    "self.words",
    "side",
    "stands_for[new]",
    "task.target.pool_id",
    "text",
    "trigger",
    "where",
}
# A number whose sentence fits one and many, or that is never one.
FITTING = {
    "doubtful",  # `may have been`
    "max(self.left, 0)",  # a decimal fraction of seconds
    "most",  # `at most 1 a day`
    "number",  # `recover` has a sentence of its own for one
    "seconds",  # a decimal fraction
    "shown.calls",  # in a picture of a whole day
    "shown.throttled",
    "summary.doubtful",  # `may have been`
    "survey.federated",  # a pool with federated users has many
}


@pytest.mark.parametrize(("number", "said"), [(0, "0 users"), (1, "1 user"), (2, "2 users"), (1234, "1,234 users")])
def test_a_number_has_its_noun(number, said):
    """One is singular, and every other number plural; a large one has separators."""
    assert plural(number, "user") == said


def test_a_verb_follows_its_number():
    """The verb may be given with the noun, in both forms."""
    assert [plural(number, "user is", "users are") for number in (1, 2)] == ["1 user is", "2 users are"]


def counted(text):
    """Yield what a program text formats right before a plural noun or verb, other than by `plural`."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, then in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(then, ast.Constant) and COUNTED.match(then.value):
                yield ast.unparse(value.value)


def is_listed(said):
    """Whether an expression is a constant, a list of names, or a call of `plural`."""
    return re.fullmatch(r"_?[A-Z_]+", said) or said.startswith(("plural(", "', '.join", "_names(", "_users("))


def test_every_count_agrees_with_its_noun():
    """No text has a number before a plural noun or verb, unless `plural` chose the form."""
    texts = {path: path.read_text("utf-8") for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    found = {(path.name, said) for path, text in texts.items() for said in counted(text) if not is_listed(said)}
    assert {(name, said) for name, said in found if said not in TEXTS | FITTING} == set()
    assert (TEXTS | FITTING) - {said for _, said in found} == set()


def test_the_guard_sees_a_count_that_does_not_agree():
    """A number right before a plural noun or verb is seen; what `plural` formats is not one of them."""
    wrong = 'f"{left} users are left", f"{len(found)} old groups", f"{n:,} are gone"'
    assert list(counted(wrong)) == ["left", "len(found)", "n"]
    assert [said for said in counted("f\"{plural(n, 'user is', 'users are')} left\"") if not is_listed(said)] == []
