"""What a wording may do: say values, ask whether they are there, compare them. The first wall of SECURITY.md 4.

An allow-list over the parsed tree: what it does not know is refused, so cost is bounded by the wording's own size
(S-28, S-29) and nothing can be reached but the values (S-30).
"""

import re
from collections.abc import Collection, Iterator

from jinja2 import TemplateSyntaxError, nodes

from duly_chassis.policy_file import Fault, did_you_mean, shown
from messenger.templating.sandbox import environment

SOURCE_CHARACTERS_MAX = 16_000
NODES_MAX = 1_000
DEPTH_MAX = 12
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
FILTERS = ("capitalize", "lower", "upper")

ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Filter,
)
REFUSED: tuple[tuple[type[nodes.Node] | tuple[type[nodes.Node], ...], str], ...] = (
    (nodes.For, "loops are not allowed: no message has lists to say"),
    (nodes.Call, "calls are not allowed: say a value, or one of the listed filters"),
    ((nodes.Getattr, nodes.Getitem), "values have no attributes: say the value itself"),
    ((nodes.BinExpr, nodes.UnaryExpr, nodes.Concat), "arithmetic and joining are not allowed: write a sentence"),
    ((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block), "other files cannot be used here"),
    ((nodes.Macro, nodes.CallBlock, nodes.Assign, nodes.AssignBlock), "nothing can be defined or set here"),
)
"""What is refused in words of its own; the rest is refused as what it is called in Jinja."""


def faults(source: str, known: Collection[str], first_line: int = 1) -> Iterator[Fault]:
    """Find everything that a wording must not do, each with its line."""
    if len(source) > SOURCE_CHARACTERS_MAX:
        yield first_line, f"longer than {SOURCE_CHARACTERS_MAX} characters"
        return
    if found := CONTROLS.search(source):
        yield first_line + source.count("\n", 0, found.start()), f"the character {shown(found[0])} is not allowed"
        return
    try:
        tree = environment(autoescape=False).parse(source)
    except TemplateSyntaxError as error:
        yield first_line + error.lineno - 1, f"not a wording: {error.message}"
        return
    except RecursionError:
        yield first_line, "nested too deeply"
        return
    checked = list(_checked(tree, known))
    yield from ((first_line + line - 1, what) for line, what in dict.fromkeys(checked))


def _checked(tree: nodes.Template, known: Collection[str]) -> Iterator[Fault]:
    """Walk with a list instead of a stack of calls: the tree's depth is one of the things to be tested."""
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    number = 0
    while waiting:
        node, depth = waiting.pop()
        number += 1
        if number > NODES_MAX or depth > DEPTH_MAX:
            yield node.lineno or 1, "nested too deeply" if depth > DEPTH_MAX else "says too much at once"
            return
        fault = _fault(node, known)
        if fault:
            yield node.lineno or 1, fault
        else:
            waiting += ((child, depth + 1) for child in node.iter_child_nodes())


def _fault(node: nodes.Node, known: Collection[str]) -> str:
    if not isinstance(node, ALLOWED):
        return next(
            (why for kinds, why in REFUSED if isinstance(node, kinds)), f"{node.__class__.__name__}: not allowed"
        )
    if isinstance(node, nodes.Name) and (node.ctx != "load" or node.name not in known):
        return f"unknown value {shown(node.name)}{did_you_mean(node.name, known)}"
    if isinstance(node, nodes.Filter):
        if node.name not in FILTERS:
            return f"filter {shown(node.name)} is not allowed; there are: {', '.join(FILTERS)}"
        if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs or node.node is None:
            return f"filter {shown(node.name)} takes a value and nothing else"
    return ""


def merely_shown(node: nodes.Node, name: str) -> bool:
    """Tell whether a value is only shown, as `{{ name }}`, and asked for by `{% if name %}`; nothing hangs on it."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Output | nodes.If):
            fits = merely_shown(child, name)
        else:
            fits = isinstance(child, nodes.Name) or not asks(child, name)
        if not fits:
            return False
    return True


def asks(node: nodes.Node, name: str) -> bool:
    """Tell whether a value stands anywhere in a tree."""
    return any(found.name == name for found in node.find_all(nodes.Name))
