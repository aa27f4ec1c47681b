"""What makes moto's DynamoDB several times faster, and changes nothing else.

moto takes every expression apart three times for each call, and copies and walks what it has made of it in the slowest
way there is. Each of `_PATCHES` gives what the method of moto's that it replaces gives; `dynamodb` has the patches that
change what moto does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from moto.core import responses as core_responses
from moto.dynamodb.comparisons import AttributeValue, ConditionExpressionParser
from moto.dynamodb.parsing import ast_nodes, expressions

# moto leaves these without types.
_nodes: Any = ast_nodes
_expressions: Any = expressions
_responses: Any = core_responses
Node, DepthFirstTraverser = _nodes.Node, _nodes.DepthFirstTraverser
UpdateExpressionParser = _expressions.UpdateExpressionParser

_EXPRESSIONS = 512  # far more different ones than a ledger has


def _make(text: str) -> Any:
    """Take an update's expression apart: whoever changes the tree copies it before."""
    return _tree(text)


@lru_cache(_EXPRESSIONS)
def _tree(text: str) -> Any:
    return ORIGINALS[UpdateExpressionParser, "make"](text)


def _copied(node: Any, memo: dict[int, Any]) -> Any:
    """Copy a tree, for which `copy` would follow every link to a parent, too."""
    new = object.__new__(type(node))
    new.__dict__.update(node.__dict__)
    if node.children is not None:
        new.children = [copy.deepcopy(child, memo) for child in node.children]
        for child in new.children:
            if isinstance(child, Node):
                child.parent = new
    return new


def _traverse(traverser: Any, node: Any) -> Any:
    """Process a tree bottom up: moto works out anew at every node which kinds are processed."""
    hook = traverser.pre_processing_of_child
    plain = hook.__func__ is DepthFirstTraverser.pre_processing_of_child
    return _walk(node, -1, _Processors(traverser), None if plain else hook)


def _walk(node: Any, place: int, processors: _Processors, before: Callable[[Any, int], None] | None) -> Any:
    parent = node.parent
    for number, child in enumerate(node.children or ()):
        if before is not None:
            before(node, number)
        if _NODES[type(child)]:
            _walk(child, number, processors, before)
    process = processors[type(node)]
    if process is None:
        return node
    new = process(node)
    new.parent = parent
    if parent:
        parent.children[place] = new
    return new


class _Nodes(dict[type, bool]):
    """Whether a class is one of nodes, which is slow to find out."""

    def __missing__(self, kind: type) -> bool:
        self[kind] = issubclass(kind, Node)
        return self[kind]


_NODES = _Nodes()
_BASES: dict[tuple[type, type], type | None] = {}  # as which class a kind of traverser processes a kind of node


class _Processors(dict[type, Any]):
    """What processes a node, by its class."""

    def __init__(self, traverser: Any) -> None:
        super().__init__()
        self._traverser = type(traverser)
        self._given = traverser._processing_map()  # noqa: SLF001 -- there is no other way to know

    def __missing__(self, kind: type) -> Any:
        known = (self._traverser, kind)
        if known not in _BASES:
            _BASES[known] = next((base for base in self._given if issubclass(kind, base)), None)
        base = _BASES[known]
        self[kind] = None if base is None else self._given[base]
        return self[kind]


def _parse(parser: Any) -> Any:
    """Take a condition apart, and put in the values of this call."""
    if not parser.condition_expression:
        return ORIGINALS[ConditionExpressionParser, "parse"](parser)
    names = frozenset((parser.expression_attribute_names or {}).items())
    node, found_names, found_values = _condition(parser.condition_expression, names)
    parser.expr_attr_names_found.extend(found_names)
    parser.expr_attr_values_found.extend(found_values)
    return parser._make_op_condition(node)  # noqa: SLF001 -- moto's own last step


@lru_cache(_EXPRESSIONS)
def _condition(text: str, names: frozenset[tuple[str, str]]) -> tuple[Any, list[str], list[str]]:
    parser = _TreeParser(text, dict(names), _AnyValue())
    ORIGINALS[ConditionExpressionParser, "parse"](parser)
    return parser.node, parser.expr_attr_names_found, parser.expr_attr_values_found


class _TreeParser(ConditionExpressionParser):
    """Keeps the tree that it makes the condition of."""

    def _make_op_condition(self, node: Any) -> Any:
        self.node = node


class _AnyValue(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return name


def _make_operand(parser: Any, node: Any) -> Any:
    """Make an operand of a node: the value of a placeholder is that of this call."""
    if node.kind == ConditionExpressionParser.Kind.EXPRESSION_ATTRIBUTE_VALUE:
        return AttributeValue(parser.expression_attribute_values[node.text])
    return ORIGINALS[ConditionExpressionParser, "_make_operand"](parser, node)


_PATCHES: dict[tuple[Any, str], Any] = {
    (UpdateExpressionParser, "make"): staticmethod(_make),
    (ConditionExpressionParser, "parse"): _parse,
    (ConditionExpressionParser, "_make_operand"): _make_operand,
    (DepthFirstTraverser, "traverse"): _traverse,
    (_responses, "method_names_from_class"): cache(_responses.method_names_from_class),
}
ORIGINALS: dict[tuple[Any, str], Any] = {(owner, name): getattr(owner, name) for owner, name in _PATCHES}
"""moto's own, by class or module and name."""

for (_owner, _name), _patch in _PATCHES.items():
    setattr(_owner, _name, _patch)
setattr(Node, "__deepcopy__", _copied)  # noqa: B010 -- mypy forbids the plain form
