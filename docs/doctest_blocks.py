"""An extension of the documentation build that shows the doctests of docstrings as code."""

import re
import textwrap
from typing import Any

import griffe

# A paragraph of a docstring that is a doctest: it starts with a prompt and ends at an empty line.
DOCTEST = re.compile(r"^>>> .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


class DoctestBlocks(griffe.Extension):
    """Put every doctest under a heading of its own, which is how the parser of docstrings knows code."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object, before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = DOCTEST.sub(_as_section, obj.docstring.value)


def _as_section(match: re.Match[str]) -> str:
    return "Examples:\n" + textwrap.indent(match[0], "    ")
