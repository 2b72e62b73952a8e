"""Each situation names tests that are there."""

import ast
from pathlib import Path

import pytest
from situations import SITUATIONS

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted({name for one in SITUATIONS for name in one.tests}))
def test_a_situation_is_held_by_a_test(name):
    path, _, function = name.partition("::")
    tree = ast.parse((HERE / path).read_text())
    functions = [part.name for part in tree.body if isinstance(part, ast.FunctionDef)]
    assert function in functions or (not function and functions)


def test_situations_are_many_and_different():
    assert len({one.what for one in SITUATIONS}) == len(SITUATIONS) > 28
    assert len({one.root for one in SITUATIONS}) == 12
