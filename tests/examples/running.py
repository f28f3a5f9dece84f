"""Examples as modules: loaded from their files, run with options, read by the numbers that they print."""

import functools
import importlib.util
import re
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@functools.cache
def load(name):
    """Return the module of an example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name, options, capsys):
    """Run an example; return what it prints."""
    load(name).main(options)
    output, errors = capsys.readouterr()
    assert errors == ""
    return output


def numbers(pattern, output):
    """Return the numbers in the groups of a pattern that occurs once."""
    (found,) = re.findall(pattern, output)
    return tuple(float(text) for text in ((found,) if isinstance(found, str) else found))
