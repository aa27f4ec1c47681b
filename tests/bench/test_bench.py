from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench import fast_table, report, run, scale
from bench.__main__ import BENCHMARKS, WHOLE
from bench.figures import Figure, medians, to_json

ROOT = Path(__file__).parents[2]
FIGURE = Figure("run: 10 users", 21.0, "s", floor=20.0, at_most=1.1)
MEASURED = {
    "date": "2026-11-23",
    "commit": "abc1234",
    "cores": "2",
    "processor": "Some CPU",
    "system": "Linux",
    "python": "3.11",
    "boto3": "1.44.5",
    "botocore": "1.44.5",
}


def result(*figures: Figure, **measured: str) -> dict[str, object]:
    return {"measured": {**MEASURED, **measured}, "figures": [to_json(figure) for figure in figures]}


def test_speed_is_judged_by_its_ratio_to_the_floor():
    """A figure with a floor is held to its bound by the ratio, one without by its value."""
    assert FIGURE.holds
    assert not replace(FIGURE, value=23.0).holds
    assert not replace(FIGURE, floor=None).holds
    assert not replace(FIGURE, at_most=None, at_least=1.2).holds


def test_the_figure_of_several_runs_is_their_median():
    """Value and floor are each the median over the runs, and every run's value is kept."""
    runs = [[replace(FIGURE, value=value, floor=value / 2)] for value in (30.0, 10.0, 20.0)]
    (figure,) = medians(runs)
    assert (figure.value, figure.floor, figure.runs) == (20.0, 10.0, (30.0, 10.0, 20.0))


def test_a_partial_run_leaves_other_results_alone():
    """New results take the place of the old of the same benchmark; the rest stays, in the order of the benchmarks."""
    before = {"limiter": result(FIGURE), "run": result(FIGURE), "no more": result(FIGURE)}
    new = {"run": result(replace(FIGURE, value=1.0))}
    after = report.merged(before, new, ["run", "limiter", "delta"])
    assert list(after) == ["run", "limiter"]
    assert after["run"] == new["run"]
    assert after["limiter"] == before["limiter"]


def test_the_table_tells_each_figure_with_its_bound():
    """A line has value, floor, ratio, bound, whether it holds, and the spread of the runs."""
    broken = replace(FIGURE, value=30.0, runs=(29.0, 30.0, 31.0), note="one | two")
    text = report.table({"run": result(FIGURE, broken)})
    assert "| run: 10 users | 21.00 s | 20.00 | 1.050 | ≤ 1.1 | yes |" in text
    assert "| run: 10 users (one / two) | 30.00 s | 20.00 | 1.500 | ≤ 1.1 | **no** | 3: 29.00 to 31.00 |" in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {8}


def test_the_table_says_when_and_on_what_it_was_measured():
    """Benchmarks that were measured at the same place and time share one line, others have their own."""
    results = {"run": result(), "limiter": result(), "delta": result(date="2026-11-24")}
    lines = [line for line in report.table(results).splitlines() if line.startswith("Measured")]
    assert [line.rpartition(": ")[2] for line in lines] == ["run, limiter.", "delta."]
    assert "2026-11-24 at abc1234, on 2 cores of Some CPU" in lines[1]


def test_a_document_is_filled_between_its_markers():
    """What stands between the markers is replaced, however often, and nothing else; without them it is refused."""
    document = "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n"
    filled = report.filled(document, "figures", "new")
    assert filled == document.replace("old", "new")
    assert report.filled(filled, "figures", "new") == filled
    with pytest.raises(ValueError, match="lacks"):
        report.filled("nothing", "figures", "new")


def test_the_document_holds_the_table_of_scale_as_it_is_computed():
    """The hours and dollars in docs/performance.md are those of the present quotas and prices."""
    document = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert report.filled(document, "scale", scale.table()) == document
    assert report.filled(document, "figures", "")


@pytest.mark.parametrize(
    ("calls", "category", "share", "hours"),
    [(1_000_000, "UserCreation", 1.0, 5.56), (1_000_000, "UserAccountRecovery", 0.5, 18.52)],
)
def test_hours_are_calls_by_the_quota(calls, category, share, hours):
    """So many calls take the hours that the share of the category's quota allows."""
    assert scale.hours(calls, category, share) == pytest.approx(hours, abs=0.01)


def test_users_are_priced_by_plan():
    """The free users of a plan cost nothing, and each price counts from where it begins."""
    assert scale.mau_dollars(10_000, "Essentials") == 0
    assert scale.mau_dollars(1_000_000, "Essentials") == pytest.approx(14_850)
    assert scale.mau_dollars(1_000_000, "Lite, at most") == pytest.approx(90_000 * 0.0055 + 900_000 * 0.0046)


def test_the_floor_is_that_of_the_slowest_category():
    """Calls of one category count together, and the category that needs longest decides."""
    calls = {"AdminCreateUser": 100, "AdminSetUserPassword": 90, "AdminAddUserToGroup": 60, "AdminDisableUser": 40}
    assert run.floor(calls) == 100 / 25


def test_a_run_is_told_as_the_server_saw_it():
    """Of a run that lost a user and was throttled, the figures do not hold; the floor is that of its calls."""
    seen = {
        "seconds": 2.0,
        "calls": {"AdminCreateUser": 60, "AdminSetUserPassword": 60},
        "throttled": 5,
        "users": 59,
        "memberships": 0,
        "ledger_writes": 300,
        "cpu_seconds": 1.0,
        "planned": 2.0,
    }
    figures = list(run.figures(run.Mix(60, 0, ledger=True), 3.0, 0.5, seen))
    assert [figure.holds for figure in figures] == [True, True, True, False, False, True]
    assert [figure.judged for figure in figures[:3]] == [pytest.approx(1.02), pytest.approx(1.02), 1.5]
    assert figures[-1].value == 5


def test_the_fast_table_changes_items_as_dynamodb_does():
    """SET replaces, REMOVE takes away, ADD and DELETE change sets, and a set that is left empty is none."""
    item = {"id": {"S": "p"}, "state": {"S": "known"}, "until": {"N": "1"}, "owed": {"SS": ["a", "b"]}}
    write = {
        "UpdateExpression": "SET #state = :state, #epoch = :epoch REMOVE #until DELETE #owed :given ADD #all :given",
        "ExpressionAttributeNames": {f"#{name}": name for name in ("state", "epoch", "until", "owed", "all")},
        "ExpressionAttributeValues": {":state": {"S": "x"}, ":epoch": {"N": "2"}, ":given": {"SS": ["a"]}},
    }
    after = {"id": {"S": "p"}, "state": {"S": "x"}, "epoch": {"N": "2"}, "owed": {"SS": ["b"]}, "all": {"SS": ["a"]}}
    assert fast_table.changed(item, write) == after
    write["ExpressionAttributeValues"][":given"] = {"SS": ["a", "b"]}
    assert "owed" not in fast_table.changed(item, write)


def test_every_benchmark_is_run_by_the_one_command():
    """Each module that measures is started by `python -m bench`, and nothing is started that is not there."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "bench").glob("*.py")}
    measuring = {
        name for name, text in texts.items() if re.search(r"^ +sys\.exit\(command\(measure\b", text, re.MULTILINE)
    }
    assert {words[0] for words in BENCHMARKS.values()} == measuring
    assert set(BENCHMARKS) >= WHOLE
    for name in measuring:
        assert callable(importlib.import_module(f"bench.{name}").measure)
