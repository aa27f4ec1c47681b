from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from batch.inventory import meta_keys

BATCH = Path(__file__).parents[3] / "batch"
KEYS = {name: value for name, value in vars(meta_keys).items() if name.isupper()}


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(BATCH.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def test_every_key_says_what_stands_under_it():
    """Each key is another, and the text below it is one or more sentences."""
    assert len(set(KEYS.values())) == len(KEYS)
    body = ast.parse(Path(meta_keys.__file__).read_text(encoding="utf-8")).body
    said = {
        one.targets[0].id: below.value.value
        for one, below in pairwise(body)
        if isinstance(one, ast.Assign) and isinstance(below, ast.Expr)
    }
    assert said.keys() == KEYS.keys()
    assert [name for name, text in said.items() if not text.endswith(".")] == []


def test_values_are_read_and_written_by_these_keys():
    """Nobody reads or writes a value by a key that is not listed, and no key is listed that nobody uses."""
    used = {
        node.attr
        for path, node in nodes()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "meta_keys"
    }
    assert used == KEYS.keys()
    calls = [
        (path, node.args[0])
        for path, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("et_meta")
    ]
    assert calls
    assert [path.name for path, key in calls if not ast.unparse(key).startswith("meta_keys.")] == []


def test_no_statement_spells_out_a_key():
    """A statement that reads or writes the table itself has the key as a parameter."""
    texts = [(path, node.value) for path, node in nodes() if isinstance(node, ast.Constant)]
    assert [path.name for path, text in texts if isinstance(text, str) and "key = '" in text] == []
