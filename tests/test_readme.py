"""What the README says can be done, can be done."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [Path("README.md"), *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md"))]


def code_blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_python_blocks_run_in_order(page):
    namespace = {}
    for block in code_blocks(page, "python"):
        exec(compile(block, page, "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    for target in targets:
        assert (ROOT / page.parent / target).exists(), f"{page} links to {target}"


def test_two_lines_do_the_set_up():
    example, tests = code_blocks("README.md", "sh")
    assert example.count("\n") == tests.count("\n") == 1
    # The line that .ci/run picks out.
    assert re.fullmatch(r"python3 -m venv .* -m pytest.*\n", tests)
