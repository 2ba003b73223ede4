"""Optuna in the house: what it does not promise is taken in one file for it and its dashboard."""

from __future__ import annotations

import ast
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

import lamsearch
from lamsearch.storage import optuna_bridge

ROOM = Path(lamsearch.__file__).parent
BRIDGES = (ROOM / "storage/optuna_bridge.py", ROOM / "storage/dashboard_bridge.py")
_TABLES = optuna_bridge.TABLE_NAMES
_ATTRIBUTES = ("dashboard:note", "dashboard:plot", "study:metric_names")


def _private_names() -> set[str]:
    """What Optuna's classes that lamsearch handles keep to themselves."""
    classes = (RDBStorage, optuna.Study, optuna.trial.FrozenTrial, optuna_bridge.FrozenStudy)
    found = {name for one in classes for name in dir(one)}
    trial = optuna.trial.create_trial(value=0.0)
    found |= {*vars(trial), "_version_manager", "_backend", "_study_id", "_trial_id"}
    return {one for one in found if one[0] == "_" and not one.endswith("__")} | {"scoped_session"}


_PRIVATE = _private_names()


def _imports(node: ast.AST) -> list[str]:
    """What of Optuna's a statement imports that is not public."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    return [
        f"imports {name}"
        for name in names
        for parts in [name.split(".")]
        if parts[0] == "optuna_dashboard"
        or (parts[0] == "optuna" and any(part.startswith("_") for part in parts))
    ]


def _takes(node: ast.AST) -> list[str]:
    """Which private attribute of Optuna's objects an expression takes; one's own are no matter."""
    if not isinstance(node, ast.Attribute) or node.attr not in _PRIVATE:
        return []
    own = ast.unparse(node.value) in ("self", "cls", "super()")
    return [] if own else [f"takes .{node.attr}"]


def _names(node: ast.AST) -> list[str]:
    """Which table of Optuna's, or attribute of its dashboard's, an expression names."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        named = node.value in _TABLES and "_" in node.value  # "trials" is a word of ours too
        return [f"names {node.value!r}"] if named or node.value.startswith(_ATTRIBUTES) else []
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sa.table", "sa.Table"):
        name = node.args[0]
        if isinstance(name, ast.Constant) and name.value in ("studies", "trials", "version_info"):
            return [f"has a table {name.value!r}"]
    return []


def offences(tree: ast.Module) -> list[str]:
    """What a module takes of Optuna that only the bridges may."""
    return [
        f"line {getattr(node, 'lineno', 0)}: {what}"
        for node in ast.walk(tree)
        for what in (*_imports(node), *_takes(node), *_names(node))
    ]


def test_no_other_module_takes_what_optuna_does_not_promise() -> None:
    """Names of Optuna's that begin with an underscore, its tables and its dashboard's attributes
    are in the bridges alone."""
    found = {
        file.relative_to(ROOM).as_posix(): offences(ast.parse(file.read_bytes()))
        for file in ROOM.rglob("*.py")
        if file not in BRIDGES
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    [
        "from optuna.storages._rdb import models",
        "import optuna.storages._rdb.models",
        "from optuna.study import _frozen",
        "import optuna_dashboard",
        "trial._trial_id",
        "storage._version_manager.upgrade()",
        "storage.scoped_session.remove()",
        "sa.table('trials', sa.column('number'))",
        "text = 'trial_values'",
        "note = 'dashboard:note_str:0'",
    ],
)
def test_what_is_not_promised_is_recognised(code: str) -> None:
    """The rule above finds each way of taking what Optuna does not promise."""
    assert len(offences(ast.parse(code))) == 1
