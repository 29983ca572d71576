"""Imports go down only: each part sees what is listed here, and nothing else of ours."""

import ast
import sys
from pathlib import Path

import pytest

import sklearn_fedphe

ROOT = Path(sklearn_fedphe.__file__).parent

ALLOWED = {
    "__init__": {"evaluation", "linear_model", "preprocessing", "privacy", "tables"},
    "__main__": {"study"},
    "study": {"linear_model", "protocol"},
    "linear_model": {
        "callbacks",
        "documentation",
        "federation",
        "inference",
        "local_federation",
        "parameters",
        "privacy",
        "protocol",
        "shards",
        "training",
    },
    "documentation": set(),
    "displays": {"displays", "linear_model", "shards"},
    "preprocessing": {"documentation", "least_squares", "parameters", "protocol", "shards"},
    "typing": set(),
    "training": {
        "callbacks",
        "exact_fit",
        "federation",
        "members",
        "own_steps",
        "private_fit",
        "progress",
        "protocol",
        "solvers",
    },
    "federation": {"members", "own_steps", "protocol"},
    "local_federation": {"federation", "least_squares", "members", "protocol", "shards"},
    "members": set(),
    "own_steps": {"least_squares", "protocol", "solvers"},
    "private_fit": {"members", "privacy", "progress", "protocol", "solvers"},
    "progress": {"callbacks", "protocol"},
    "callbacks": set(),
    "exact_fit": {"inference", "members", "solvers"},
    "inference": set(),
    # Of crypto, the length of the shortest key; of the protocol, the least number of clients.
    "parameters": {"crypto", "privacy", "protocol", "solvers"},
    # Of the protocol, the least number of clients; a federation is told from shards.
    "shards": {"federation", "labels", "members", "protocol"},
    "labels": set(),
    "tables": {"labels", "shards"},
    "evaluation": {"linear_model", "parameters", "predicted_rows", "protocol", "shards"},
    "least_squares": {"exact_products"},
    "predicted_rows": {"least_squares"},
    "exact_products": set(),
    "solvers": {"solvers"},
    "protocol": {
        "protocol",
        "bounded_rows",
        "crypto",
        "least_squares",
        "predicted_rows",
        "privacy",
    },
    "privacy": {"bounded_rows", "crypto"},  # of crypto, the most noise that can be drawn
    "bounded_rows": {"exact_products", "least_squares"},
    "crypto": {"crypto"},
    # On top: machines take the place of the ring in this process, and speak its messages.
    "engines": {
        "",  # the version
        "crypto",
        "engines",
        "federation",
        "least_squares",
        "members",
        "own_steps",
        "privacy",
        "protocol",
    },
}


def imports_of(path):
    """Names of the modules imported at run time, absolute."""
    package = ["sklearn_fedphe", *path.relative_to(ROOT).with_suffix("").parts][:-1]
    nodes = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*base, *([node.module] if node.module else [])])
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            nodes.extend(ast.iter_child_nodes(node))


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path):
    part = path.relative_to(ROOT).with_suffix("").parts[0]
    for name in imports_of(path):
        top, _, inside = name.partition(".")
        if top == "sklearn_fedphe":
            assert inside.split(".")[0] in ALLOWED[part] | {"typing"}, f"{part} imports {name}"
        if top == "nvflare":
            assert path.parent == ROOT / "engines" / "nvflare"
        if top == "pyarrow":
            assert path == ROOT / "engines" / "nvflare" / "site_rows.py"
        if top == "phe":
            assert path == ROOT / "crypto" / "paillier.py"
        if top == "sklearn":
            assert not any(word.startswith("_") for word in name.split(".")), name
        outside = {"cryptography", "flint", "gmpy2", "joblib", "numpy", "phe", "scipy", "sklearn"}
        # These only where they are asked for.
        outside |= {
            "dp_accounting",
            "matplotlib",
            "nvflare",
            "opendp",
            "pandas",
            "polars",
            "pyarrow",
        }
        assert top in {"sklearn_fedphe"} | outside | sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_randomness_comes_from_the_operating_system(path):
    """`random` is neither imported nor an attribute; the study's legacy generator aside."""
    names = {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        for name in [getattr(node, "attr", None), getattr(node, "module", None)]
        + [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
        if name
    }
    assert ("random" in {part for name in names for part in name.split(".")}) == (
        path == ROOT / "study.py"
    )


def test_every_part_is_listed():
    assert {path.relative_to(ROOT).with_suffix("").parts[0] for path in FILES} == set(ALLOWED)
