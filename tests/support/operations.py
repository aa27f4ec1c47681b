"""Which AWS operations the code calls, found in its source, from a command or a function of the trigger on.

A symbol (a function, a class, a constant of a module) reaches the symbols that it names, but for annotations. Of the
doors to AWS, which name every operation, a method is reached where some reached symbol calls one of its name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("userpool", "batch", "trigger")


class Symbol(NamedTuple):
    """A name at the top level of a module."""

    module: str
    name: str


@cache
def tree(module: str) -> ast.Module:
    """The source of a module."""
    return ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


@cache
def modules() -> frozenset[str]:
    """All modules that run in production."""
    return frozenset(
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    )


@cache
def symbols(module: str) -> dict[str, list[ast.AST]]:
    """What stands at the top level of a module, by name."""
    found: dict[str, list[ast.AST]] = {}
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return found


@cache
def imports(module: str) -> dict[str, Symbol | str]:
    """What a module has imported of ours, wherever in it: symbols, and whole modules."""
    found: dict[str, Symbol | str] = {}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found[alias.asname or alias.name] = whole if whole in modules() else Symbol(node.module, alias.name)
    return found


def bare(node: ast.AST) -> Iterator[ast.AST]:
    """All of a node but its annotations."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from bare(child)


THROW_AWAY = {"by_name", "by_mail", "live", "to_clean"}
"""What the pools of `check --live` are called."""

# Classes of which single methods are reached: by what an object of theirs is called where the method is.
DOORS = {
    Symbol("userpool.pool", "UserPool"): {"pool", "reader", "source", "target", "paced_by", "UserPool", *THROW_AWAY},
    Symbol("batch.check.reading", "PoolReader"): {"reader", "source", "target"},
    Symbol("batch.pools.managed_pool", "ManagedPool"): {"target", "managed", *THROW_AWAY},
    Symbol("batch.check.live.throw_away_pools", "LivePool"): THROW_AWAY,
    Symbol("batch.check.live.throw_away_pools", "AccountPools"): {"account", "AccountPools"},
    Symbol("userpool.ledger_table", "LedgerTable"): {"table", "ledger_table"},
    Symbol("batch.ledger.ledger", "BatchLedger"): {"ledger", "BatchLedger", "Ledger"},
    Symbol("userpool.ledger", "Ledger"): {"ledger", "Ledger"},
    Symbol("userpool.terms", "Terms"): {"terms", "Terms"},
    Symbol("userpool.terms", "Lasting"): {"Lasting"},
    Symbol("trigger.parts", "Parts"): {"parts", "Parts"},
}
POOLS = ("Pool", "PoolReader", "AccountPools")
"""How the names end of the doors to user pools."""

ASKING_ONLY = {"batch.check.rights"}
"""What makes calls to learn whether they are allowed, and nothing else: of those that others need."""

SIDES = {
    "source": "source",
    "target": "target",
    **dict.fromkeys([*THROW_AWAY, "account", "AccountPools"], "throw-away"),
}


@cache
def methods(door: Symbol) -> dict[str, ast.FunctionDef]:
    """The methods of a class, and those that it inherits from another door."""
    found: dict[str, ast.FunctionDef] = {}
    for node in symbols(door.module).get(door.name, ()):
        assert isinstance(node, ast.ClassDef)
        found |= {inner.name: inner for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def receiver(node: ast.expr) -> str:
    """The last name of what a method is called of, such as `target` of `self._target`."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name.removeprefix("_")
        case ast.Call(func=inner):
            return receiver(inner)
        case _:
            return ""


def bodies(symbol: Symbol) -> list[ast.AST]:
    """What is looked at for a symbol; of a door only the method that is named after a dot."""
    name, _, method = symbol.name.partition(".")
    door = Symbol(symbol.module, name)
    if method:
        return [methods(door)[method]]
    return [] if door in DOORS else symbols(symbol.module).get(name, [])


def inner_nodes(symbol: Symbol) -> Iterator[ast.AST]:
    """All nodes of a symbol but annotations."""
    return (inner for outer in bodies(symbol) for inner in bare(outer))


def _calls_later(function: ast.expr) -> bool:
    """Whether what is handed to a function is called: by `partial(…)` or `Read.of(…)`."""
    match function:
        case ast.Name(id="partial") | ast.Attribute(attr="of", value=ast.Name(id="Read")):
            return True
        case _:
            return False


def methods_called(symbol: Symbol) -> Iterator[tuple[str, ast.expr]]:
    """The methods that a symbol calls, or hands on to be called, and of what."""
    for node in inner_nodes(symbol):
        if isinstance(node, ast.Call):
            handed = node.args[:1] if _calls_later(node.func) else []
            for of in (node.func, *handed):
                if isinstance(of, ast.Attribute):
                    yield of.attr, of.value
            if receiver(node.func) == "get_paginator" and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value, node.func


def through_doors(symbol: Symbol) -> Iterator[Symbol]:
    """The methods of doors that a symbol calls."""
    own = Symbol(symbol.module, symbol.name.partition(".")[0])
    for name, of in methods_called(symbol):
        for door, called in DOORS.items():
            if name in methods(door) and (receiver(of) in called or (door == own and receiver(of) in {"self", "cls"})):
                yield Symbol(door.module, f"{door.name}.{name}")


@cache
def defaults(symbol: Symbol) -> dict[str, list[ast.Name]]:
    """What the fields of a method's class are if nothing is said: a function that it calls, perhaps."""
    name, _, method = symbol.name.partition(".")
    found: dict[str, list[ast.Name]] = {}
    for node in symbols(symbol.module).get(name, ()) if method else ():
        assert isinstance(node, ast.ClassDef)
        for field in node.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.value, ast.Name):
                assert isinstance(field.target, ast.Name)
                found.setdefault(field.target.id, []).append(field.value)
    return found


def named_by(node: ast.Name, symbol: Symbol) -> set[Symbol]:
    """The symbol of ours, if any, that a name means where a symbol stands."""
    target = imports(symbol.module).get(node.id)
    if isinstance(target, Symbol):
        return {target}
    return {Symbol(symbol.module, node.id)} if node.id in symbols(symbol.module) else set()


@cache
def named_in(symbol: Symbol) -> frozenset[Symbol]:
    """The symbols that a symbol names, and the methods of doors that it calls."""
    found = set(through_doors(symbol))
    for node in inner_nodes(symbol):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            whole = imports(symbol.module).get(node.value.id)
            if isinstance(whole, str):
                found.add(Symbol(whole, node.attr))
        if isinstance(node, ast.Attribute) and receiver(node.value) == "self":
            found |= {named for default in defaults(symbol).get(node.attr, ()) for named in named_by(default, symbol)}
        if isinstance(node, ast.Name):
            found |= named_by(node, symbol)
    return frozenset(found)


def reached(*starts: Symbol) -> set[Symbol]:
    """Every symbol that is reached from these."""
    seen: set[Symbol] = set()
    left = list(starts)
    while left:
        symbol = left.pop()
        if symbol not in seen and symbol.module not in ASKING_ONLY:
            seen.add(symbol)
            left += named_in(symbol)
    return seen


def operations_of(door: Symbol, name: str) -> set[str]:
    """The operations that a method of a pool or table names, and the methods of its own that it calls."""
    found: set[str] = set()
    for node in ast.walk(methods(door)[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if receiver(node.func) in {"call", "pages"} and node.args and isinstance(node.args[0], ast.Constant):
                found.add(node.args[0].value)
            elif receiver(node.func.value) == "self" and receiver(node.func) not in {"call", "pages"}:
                for own in (door, Symbol("userpool.pool", "UserPool")):
                    if node.func.attr in methods(own):
                        found |= operations_of(own, node.func.attr)
    return found


def of_pools(*starts: Symbol) -> dict[str, set[str]]:
    """The operations of Cognito that are called, by side: `source`, `target`, or `pool` where either may be meant.

    Those of pools that a check makes are `throw-away`.
    """
    found: dict[str, set[str]] = {"source": set(), "target": set(), "pool": set(), "throw-away": set()}
    doors = [door for door in DOORS if door.name.endswith(POOLS)]
    for symbol in reached(*starts):
        if symbol.name.partition(".")[0] in {door.name for door in doors}:
            continue
        for name, of in methods_called(symbol):
            for door in doors:
                if name in methods(door) and receiver(of) in DOORS[door]:
                    found[SIDES.get(receiver(of), "pool")] |= operations_of(door, name)
    return found


# What the boto3 clients of other services are asked, but for GetCallerIdentity, which everybody may.
SERVICES = {
    "get_secret_value": "secretsmanager:GetSecretValue",
    "get_policy": "lambda:GetPolicy",
    "assume_role": "sts:AssumeRole",
    "simulate_principal_policy": "iam:SimulatePrincipalPolicy",
    "get_role": "iam:GetRole",
}


def of_others(*starts: Symbol) -> set[str]:
    """The actions of other services that are called."""
    return {SERVICES[name] for symbol in reached(*starts) for name, _ in methods_called(symbol) if name in SERVICES}


def of_ledger(*starts: Symbol) -> set[str]:
    """The operations of DynamoDB that are called. What is written says how: a change, a whole item, or neither."""
    found = set()
    for symbol in reached(*starts):
        if symbol.name.startswith("LedgerTable."):
            found |= operations_of(Symbol(symbol.module, "LedgerTable"), symbol.name.partition(".")[2])
        for node in inner_nodes(symbol):
            if isinstance(node, ast.Call) and receiver(node.func) == "Write" and symbol.name != "LedgerTable":
                given = {keyword.arg for keyword in node.keywords}
                found.add("PutItem" if "item" in given else "UpdateItem" if "change" in given else "DeleteItem")
    return found
