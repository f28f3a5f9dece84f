"""The imports run in one direction, and heavy modules are imported only where they belong."""

import ast
import graphlib
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# Lower floors first; a file imports from floors below its own, or from its own floor.
FLOORS = (
    ("errors", "tree", "types", "lazy"),
    ("primitive", "refusals"),
    ("array_like",),
    ("tracer", "boundary"),
    ("boundary",),
    ("primitives",),
    ("at",),
    ("compositions",),
    ("graph",),
    ("tape", "vjp", "jvp", "vmap"),
    ("grad",),
    ("jacobian",),
    ("control",),
    ("debug",),
    ("backends",),
    ("jit",),
    ("checks",),
)
# What stands on the whole engine: the working forms of functions that NumPy and SciPy do not dispatch.
ABOVE = {"numpy", "scipy"}
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Where a module may be imported; everywhere else in the two packages it may not.
HOMES = {
    "jax": ("transforms/backends/xla", "funcdl/export"),
    "llvmlite": ("transforms/backends/llvm",),
    "matplotlib": ("funcdl/plot",),
    "optax": (),
    "torch": (),
}


class Import(NamedTuple):
    path: Path
    line: int
    module: str
    name: str | None

    def __str__(self):
        what = self.module if self.name is None else f"{self.name} from {self.module}"
        return f"{self.path}:{self.line} imports {what}"


def files(package):
    return sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))


def module_name(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; write the whole name"
            found += [Import(path, node.lineno, node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "lazy_module":
            found.append(Import(path, node.lineno, node.args[0].value, None))
    return found


def all_imports(*packages):
    return [entry for package in packages for path in files(package) for entry in imports_of(path)]


MODULES = {module_name(path) for package in ("transforms", "funcdl") for path in files(package)}


def target(entry):
    """The module that an import reads: a submodule where the imported name is one."""
    submodule = f"{entry.module}.{entry.name}"
    return submodule if submodule in MODULES else entry.module


def room(module):
    return module.split(".")[1] if "." in module else None


def exported_by_transforms():
    tree = ast.parse((ROOT / "transforms" / "__init__.py").read_text())
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


def test_every_room_of_the_engine_has_a_floor():
    rooms = {room(module_name(path)) for path in files("transforms")} - {None}
    assert rooms - FLOOR_OF.keys() - ABOVE == set()


@pytest.mark.parametrize("path", [p for p in files("transforms") if module_name(p) != "transforms"], ids=str)
def test_the_engine_imports_downward(path):
    own = FLOOR_OF.get(room(module_name(path)), len(FLOORS))
    for entry in imports_of(path):
        read = target(entry)
        assert read.split(".")[0] != "funcdl", f"{entry}: the engine knows nothing of neural networks"
        assert read != "transforms", f"{entry}: name the module that defines it"
        if read.startswith("transforms."):
            assert FLOOR_OF.get(room(read), len(FLOORS)) <= own, f"{entry}: the arrow runs upward"


@pytest.mark.parametrize("package", ["transforms", "funcdl"])
def test_no_imports_in_a_circle(package):
    faces = {module_name(path) for path in files(package) if path.name == "__init__.py"}
    graph = {
        module_name(path): {target(entry) for entry in imports_of(path)} - faces for path in files(package)
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_funcdl_imports_what_transforms_exports():
    exported = exported_by_transforms()
    for entry in all_imports("funcdl"):
        if entry.module.split(".")[0] == "transforms" and str(entry.path) != "funcdl/__init__.py":
            known = entry.name in exported or room(entry.module) in exported
            assert known, f"{entry}, which transforms/__init__.py does not export"


def test_heavy_modules_stay_at_home():
    for entry in all_imports("transforms", "funcdl"):
        homes = HOMES.get(entry.module.split(".")[0])
        if homes is not None:
            at_home = any(entry.path.as_posix().startswith(home) for home in homes)
            assert at_home, f"{entry}, which only {homes} may"


def run_python(code, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


def test_importing_funcdl_stays_cheap():
    heavy = ["scipy.special", "scipy.linalg", "scipy.stats", "matplotlib", "jax", "tqdm", "llvmlite"]
    result = run_python(f"import sys, funcdl; print([m for m in {heavy} if m in sys.modules])")
    assert result.stdout.strip() == "[]", result.stderr


def test_importing_funcdl_imports_none_of_its_rooms():
    result = run_python("import sys, funcdl; print(sorted(m for m in sys.modules if m.startswith('funcdl')))")
    assert result.stdout.strip() == "['funcdl', 'funcdl._engine']", result.stderr


def test_the_rooms_of_funcdl_and_their_functions_are_found():
    import funcdl

    late = [entry for entry in imports_of(Path("funcdl/__init__.py")) if entry.module.startswith("funcdl")]
    late = [entry for entry in late if entry.module != "funcdl._engine"]
    assert len(late) > 20
    for entry in late:
        assert entry.name in dir(funcdl), entry
        expected = importlib.import_module(target(entry))
        if target(entry) == entry.module:
            expected = getattr(expected, entry.name)
        assert getattr(funcdl, entry.name) is expected, entry


def test_funcdl_names_an_attribute_that_it_has_not():
    import funcdl

    with pytest.raises(AttributeError, match=r"module 'funcdl' has no attribute 'layers'"):
        _ = funcdl.layers
    with pytest.raises(ImportError, match="cannot import name 'layers' from 'funcdl'"):
        from funcdl import layers  # noqa: F401


def test_funcdl_reexports_the_transforms():
    import funcdl
    import transforms

    exported = {name: getattr(transforms, name) for name in exported_by_transforms()}
    functions = {name for name, value in exported.items() if not inspect.ismodule(value)}
    for name in {"tree", *functions}:
        assert getattr(funcdl, name, None) is exported[name], name


@pytest.mark.parametrize("form", ["transforms.py", "transforms/__init__.py"])
def test_a_foreign_transforms_is_named(tmp_path, form):
    foreign = tmp_path / form
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("raise RuntimeError('this file is not to be run')\n")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import funcdl"
    result = run_python(code, cwd=tmp_path)
    last_line = result.stderr.strip().splitlines()[-1]
    engine = ROOT / "transforms" / "__init__.py"
    assert last_line == (
        f"ImportError: funcdl: the module 'transforms' must be the engine at {engine}, got {foreign}; "
        "rename that file or folder, or take its folder off sys.path"
    )
