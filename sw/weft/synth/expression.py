"""Boolean functions of Liberty files: ``!``, postfix ``'``, ``&``, ``*``, juxtaposition, ``^``,
``|``, ``+``.

The grammar and its precedence (not, exclusive or, and, or) are those of the Liberty reference
manual, "function
attribute".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import LibertyError

__all__ = ["Expression", "parse_expression"]

_TOKEN = re.compile(r"\s*([!'&*|+^()]|[A-Za-z0-9_\[\]\.]+)")

#: ("pin", name), ("const", 0 or 1), ("not", a), ("and" | "or" | "xor", a, b)
Expression = tuple[Any, ...]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s", "", text):
            raise LibertyError(f"function {text!r} has characters that no function may have")
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def binary(self, operators: str, name: str, lower: Callable[[], Expression]) -> Expression:
        left = lower()
        while self.peek() and self.peek() in operators:
            self.at += 1
            left = (name, left, lower())
        return left

    def either(self) -> Expression:
        return self.binary("|+", "or", self.both)

    def both(self) -> Expression:
        left = self.differ()
        while self.peek() and self.peek() not in ")|+^'":
            if self.peek() in "&*":
                self.at += 1
            left = ("and", left, self.differ())
        return left

    def differ(self) -> Expression:
        return self.binary("^", "xor", self.factor)

    def factor(self) -> Expression:
        token = self.peek()
        self.at += 1
        if token == "!":
            return ("not", self.factor())
        if token == "(":
            inner = self.either()
            if self.peek() != ")":
                raise LibertyError(f"function {self.text!r} has an open parenthesis")
            self.at += 1
        elif token and token not in "')&*|+^":
            inner = ("const", int(token)) if token in "01" else ("pin", token)
        else:
            raise LibertyError(f"function {self.text!r} does not parse at {token or 'its end'!r}")
        while self.peek() == "'":
            self.at += 1
            inner = ("not", inner)
        return inner


def parse_expression(text: str) -> Expression:
    """The function as a tree.

    Raises
    ------
    LibertyError
        if it does not parse.
    """
    parser = _Parser(text)
    tree = parser.either()
    if parser.peek():
        raise LibertyError(f"function {text!r} does not parse at {parser.peek()!r}")
    return tree


def pins_of(tree: Expression) -> set[str]:
    """Names of the pins in a function."""
    if tree[0] == "pin":
        return {tree[1]}
    if tree[0] == "const":
        return set()
    return set().union(*(pins_of(branch) for branch in tree[1:]))


def evaluate(tree: Expression, values: Mapping[str, Any], zeros: Any) -> Any:
    """The function of ints or arrays of packed bits; ``zeros`` is constant 0 in their type. ``~``
    must stay in range, so
    use unsigned arrays (or mask the result for ints)."""
    kind = tree[0]
    if kind == "pin":
        return values[tree[1]]
    if kind == "const":
        return ~zeros if tree[1] else zeros
    if kind == "not":
        return ~evaluate(tree[1], values, zeros)
    left, right = (evaluate(branch, values, zeros) for branch in tree[1:])
    return left & right if kind == "and" else left | right if kind == "or" else left ^ right


def to_verilog(tree: Expression) -> str:
    """The function as a Verilog expression of wires named like the pins."""
    kind = tree[0]
    if kind == "pin":
        return str(tree[1])
    if kind == "const":
        return f"1'b{tree[1]}"
    if kind == "not":
        return f"~{to_verilog(tree[1])}"
    operator = {"and": "&", "or": "|", "xor": "^"}[kind]
    return f"({to_verilog(tree[1])} {operator} {to_verilog(tree[2])})"
