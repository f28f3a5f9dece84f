"""The reference has one line for every public name, and none for a name that is not there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"


def source_of(module):
    """The file of a module."""
    path = ROOT / module.replace(".", "/")
    package = path / "__init__.py"
    return package if package.exists() else path.with_suffix(".py")


def public_names(module):
    """What a file defines, or what a package imports to show; each with where it is imported from."""
    source = source_of(module)
    nodes = ast.parse(source.read_text()).body
    if source.name != "__init__.py":
        defined = [node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        return {name: None for name in defined if not name.startswith("_")}
    late = [node for block in nodes if isinstance(block, ast.If) for node in block.body]
    imports = [node for node in (*nodes, *late) if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names if alias.name == alias.asname}


def modules(package):
    """The public modules of a package, itself first."""
    inner = [f"{package}.{name}" for name, origin in public_names(package).items() if origin == package]
    return [package, *(module for name in inner if name not in INNER for module in modules(name))]


# Rooms of the engine that its face imports so that their rules are registered, or for `funcdl` alone.
INNER = {"transforms.compositions", "transforms.lazy", "transforms.primitives"}
MODULES = [*modules("transforms"), *modules("funcdl")[1:]]
DOCUMENTED = [
    line
    for page in sorted(REFERENCE.glob("*.md"))
    for line in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_its_line(module):
    documented = {line.rpartition(".")[2] for line in DOCUMENTED if line.rpartition(".")[0] == module}
    assert documented == {name for name, origin in public_names(module).items() if origin != module}


def test_no_line_stands_twice_or_for_no_module():
    assert len(DOCUMENTED) == len(set(DOCUMENTED))
    assert {line.rpartition(".")[0] for line in DOCUMENTED} <= set(MODULES)
