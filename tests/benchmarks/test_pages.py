import re

import pytest

from benchmarks import chart, pages
from tests.benchmarks.fakes import RESULTS, workload

WORKLOADS = {"counting": workload()}


def test_only_what_is_between_the_markers_changes():
    page = f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n"
    assert pages.between_markers(page, "new") == f"before\n{pages.BEGIN}\n\nnew\n\n{pages.END}\nafter\n"


@pytest.mark.parametrize("page", ["nothing", f"{pages.BEGIN} only", f"{pages.END} {pages.BEGIN}"])
def test_a_page_without_markers_is_refused(page):
    with pytest.raises(ValueError, match="the page must have the markers"):
        pages.between_markers(page, "new")


def test_page_and_chart(tmp_path):
    (tmp_path / "images").mkdir()
    page = tmp_path / "performance.md"
    page.write_text(f"# Speed\n\n{pages.BEGIN}\n{pages.END}\n\nThe end.\n")
    pages.write_page(RESULTS, WORKLOADS, tmp_path)
    written = page.read_text()
    assert written.startswith("# Speed\n")
    assert written.endswith("The end.\n")
    assert "| `counting` | jax |" in written
    for target in re.findall(r"\]\((.*?)\)", written):
        assert (tmp_path / target).exists()
    pages.write_page(RESULTS, WORKLOADS, tmp_path)
    assert page.read_text() == written


def test_tiny_sizes_stay_out_of_the_page(tmp_path):
    with pytest.raises(ValueError, match="measured at full sizes"):
        pages.write_page({**RESULTS, "tiny": True}, WORKLOADS, tmp_path)


def test_chart_is_the_same_file_each_time_and_names_every_contender(tmp_path):
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    chart.draw(RESULTS, WORKLOADS, one)
    chart.draw(RESULTS, WORKLOADS, two)
    assert one.read_bytes() == two.read_bytes()
    for name in ("funcdl", "torch", "jax", "counting"):
        assert f">{name}<" in one.read_text()


def test_the_page_of_the_documentation_has_its_markers():
    pages.between_markers((pages.DOCS / "performance.md").read_text(), "")
