"""The page of `report`, as what reads it understands it: parsed, and without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from migrating import FINGERPRINT
from parsed_page import SECTIONS, Parsed
from planned import context, mark_created, person, store, verified

from batch.inventory.inventory import Inventory
from batch.ledger.count import LedgerCount
from batch.plan.plan import make_plan
from batch.report.page import page, waiting_by_day
from batch.report.page_facts import SHOWN, gather
from batch.settings.config import Config
from userpool.person import PersonState
from userpool.settings import LedgerSettings, PoolSettings
from userpool.user import Group, Status

NOW = 1_790_000_000.0
SCRIPT = "<script>alert(1)</script>"
PLAIN = Config(PoolSettings("eu-west-1_Old"), PoolSettings("eu-west-1_New"))
LEDGER = Config(PLAIN.source, PLAIN.target, ledger=LedgerSettings("cognito-migration"))


USERS = [
    person(SCRIPT, attributes=verified("script@example.com")),
    person("Bob", attributes=verified("bob@example.com")),
    person("bob", attributes=verified("other@example.com"), enabled=False),
    person("eve", status=Status.UNCONFIRMED),
    person("without-mail"),
    *(person(f"user{number}", attributes=verified(f"u{number}@example.com")) for number in range(5)),
]


@pytest.fixture
def inventory(tmp_path):
    """An inventory with a scan: two users who collide, one left out, one without mail, one with a name like markup."""
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        store(inventory, USERS, [Group("Admins")], [("Bob", "Admins")])
        yield inventory


@pytest.fixture
def planned(inventory):
    """The same, planned."""
    make_plan(inventory, context(), {})
    return inventory


@pytest.fixture
def mid_run(planned):
    """The same after some of a run: users done, failed and deleted, a conflict, calls, and a run that is on."""
    for user, state in zip(USERS[5:8], ("done", "done", "gone"), strict=True):
        mark_created(planned, user, user.username, state)
    with planned.transaction():
        planned.execute(
            "INSERT INTO progress (sub, state, problem_kind, problem) VALUES (?, 'refused', 'taken', ?)",
            (USERS[0].sub, "the alias is somebody else's"),
        )
        planned.execute("INSERT INTO conflicts VALUES (?, 'email', 'was changed in the new pool', 1)", (USERS[5].sub,))
        who = "arn:aws:sts::123456789012:assumed-role/Migration/jane@corp.example"
        planned.execute(
            "INSERT INTO runs VALUES ('1', 'scan', ?, ?, ?, 'c0ffee', NULL, ?, 0)",
            (NOW - 900, NOW - 600, who, json.dumps({"users": 10})),
        )
        planned.execute("INSERT INTO runs VALUES ('2', 'run', ?, NULL, ?, 'c0ffee', NULL, NULL, NULL)", (NOW, who))
        for second in range(30):
            planned.execute(
                "INSERT INTO calls VALUES (?, 1, '123456789012 eu-west-1', 'UserCreation', 20, ?, 25, 50)",
                (NOW + second, int(second == 7)),
            )
    return planned


def made(inventory, config=PLAIN, *, counted=None, unread=None, names=False, title=None) -> str:
    facts = gather(inventory, context(), lambda _operation: 10.0, names=names)
    return page(config, facts, counted, unread, names=names, made=NOW, title=title)


def parsed(inventory, config=PLAIN, **options) -> Parsed:
    return Parsed(made(inventory, config, **options))


def test_every_section_is_there_at_any_time(inventory):
    """The page has its sections after a scan, with a plan, in mid-run, and each link leads to one."""
    stages = [parsed(inventory)]
    make_plan(inventory, context(), {})
    stages.append(parsed(inventory))
    for shown in stages:
        assert shown.ids("section") == SECTIONS
        links = [attributes["href"] for name, attributes in shown.elements if name == "a"]
        assert links == [f"#{name}" for name in SECTIONS]
    assert "cognito-migrate plan" in stages[0].section("glance")
    assert "cognito-migrate run" in stages[1].section("glance")


@pytest.mark.parametrize("names", [False, True])
def test_nothing_is_loaded(mid_run, names):
    """The page names no address to load from, in markup or style, and has no handler or style attribute."""
    shown = parsed(mid_run, names=names)
    for _, attributes in shown.elements:
        assert not {"src", "style", "srcset", "data", "action"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    assert not {"link", "img", "iframe", "object", "base"} & {name for name, _ in shown.elements}
    assert set(re.findall(r"url\((.)", shown.raw["style"])) == {"#"}
    assert "@import" not in shown.raw["style"]
    assert "//" not in re.sub(r"^//.*$", "", shown.raw["script"], flags=re.MULTILINE)


def test_the_policy_allows_this_style_and_this_script_alone(mid_run):
    """The Content-Security-Policy forbids everything but the page's own style and script, by their very digests."""
    shown = parsed(mid_run)
    policy = next(
        attributes["content"]
        for name, attributes in shown.elements
        if name == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(shown.raw[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


def test_markup_in_values_is_text(mid_run):
    """A user called <script>, a title and a reason with markup are shown as they are, and are no elements."""
    with mid_run.transaction():
        mid_run.execute("UPDATE progress SET problem = '<b onclick=x>' WHERE problem IS NOT NULL")
        mid_run.execute("UPDATE calls SET category = '\"><i>', owner = '<u>'")
    shown = parsed(mid_run, names=True, title="<img src=x>")
    assert SCRIPT in shown.seen
    assert "<b onclick=x>" in shown.seen
    assert "<img src=x>" in shown.seen
    assert '"><i>' in shown.seen
    kinds = [name for name, _ in shown.elements]
    assert kinds.count("script") == 1
    assert not {"img", "i", "u"} & set(kinds)


def test_without_names_nobody_is_named(mid_run):
    """No user name, e-mail address or sub is in the page, nor who ran a command; what they did is."""
    text = made(mid_run)
    for user in USERS:
        assert user.username not in Parsed(text).seen.split()
        assert user.sub not in text
    assert SCRIPT not in Parsed(text).seen
    assert "@example.com" not in text
    assert "jane" not in text
    assert "assumed-role/Migration/…" in text


def test_with_names_who_collides_and_who_failed_is_named(mid_run):
    """With names, collisions, failures with their next step, conflicts and callers are named; no attribute is."""
    shown = parsed(mid_run, names=True)
    assert {"Bob", "bob"} <= set(shown.section("collisions").split())
    assert SCRIPT in shown.section("result")
    assert "cognito-migrate run" in shown.section("result")
    assert "user0" in shown.section("result")
    assert "jane@corp.example" in shown.section("runs")
    assert "@example.com" not in shown.seen


def test_each_user_of_the_scan_is_in_one_outcome(mid_run):
    """The outcomes come to the users of the scan, whatever became of each."""
    facts = gather(mid_run, context(), lambda _operation: 10.0, names=False)
    assert dict(facts.outcomes) == {"done": 2, "gone": 1, "failed": 1, "collide": 2, "skip": 1, "create": 3}
    assert sum(facts.outcomes.values()) == facts.standing.scan.users == len(USERS)


def test_the_plan_is_told_with_its_reasons(planned):
    """The plan has its digest, actions and reasons, attributes that get lost, and who cannot reset a password."""
    said = parsed(planned).section("plan")
    assert make_plan(planned, context(), {}).digest in said
    assert "never confirmed" in said
    assert "Attribute email : required in the new pool" in said.replace("email:", "email :")
    assert "no verified e-mail address" in said


def test_what_changed_settings_would_take_is_told(planned):
    """The page counts what users keep although the settings would take it away, and names the plan that takes it."""
    with planned.transaction():
        summary = planned.get_meta("plan_summary") | {"spared": {"birthdate": 3}}
        planned.set_meta("plan_summary", summary)
    said = parsed(planned).section("plan")
    assert "changed settings would take it from 3 users" in " ".join(said.split())
    assert "--with-removals" in said


def test_a_plan_whose_summary_is_not_kept(mid_run):
    """Without the summary of the plan the page names the command that makes it, and is made."""
    mid_run.execute("DELETE FROM meta WHERE key = 'plan_summary'")
    assert "cognito-migrate plan" in parsed(mid_run).section("plan")


def test_calls_are_told_against_share_and_quota(mid_run):
    """Each category says its calls, its busiest rate, share and quota, and throttles, also as a picture."""
    shown = parsed(mid_run)
    said = shown.section("calls")
    assert "600 calls; at most 20.0/s of 25/s allowed, 40 % of the quota; 1 throttled" in said
    labels = [attributes["aria-label"] for name, attributes in shown.elements if attributes.get("role") == "img"]
    assert any("UserCreation" in label and "quota of 50" in label for label in labels)


def test_long_lists_are_cut_and_say_what_has_all(planned):
    """Of many failures the first are listed, the number of all is said, and the export that has them."""
    with planned.transaction():
        for number in range(SHOWN + 50):
            sub = f"many {number}"
            planned.execute("INSERT INTO users VALUES (?, ?, 'CONFIRMED', 1, 0, 0, '{}', 1, 0, 0, NULL)", (sub, sub))
            planned.execute(
                "INSERT INTO plan (sub, action, username, reset_channel) VALUES (?, 'create', ?, 1)", (sub, sub)
            )
            planned.execute(
                "INSERT INTO progress (sub, state, problem_kind, problem) VALUES (?, 'refused', 'rejected', 'no')",
                (sub,),
            )
    shown = parsed(planned, names=True)
    said = shown.section("result")
    assert f"the first {SHOWN} of {SHOWN + 50}; cognito-migrate export failed lists all" in said
    assert shown.seen.count("many ") == SHOWN


def test_a_great_collision_is_cut(tmp_path):
    """Of hundreds who would be one account, some are listed and the rest is a number."""
    same = [person(f"user{number}", attributes=verified("same@example.com")) for number in range(300)]
    with Inventory.open(tmp_path / "migration.db", FINGERPRINT, create=True) as inventory:
        store(inventory, same)
        from planned import ALIASES  # noqa: PLC0415

        make_plan(inventory, context(ALIASES), {})
        said = parsed(inventory, names=True).section("collisions")
    assert "1 sets of users" in said
    assert "and 280 more" in said


def counted() -> LedgerCount:
    found = LedgerCount(NOW, days=30)
    found.persons = 100
    found.states = {"held": 10, "known": 5, "pending": 45, "captured": 30, "reset": 10}
    days = list(found.settled)
    found.settled[days[-1]] = {"captured": 4, "reset": 1}
    found.settled[days[-3]] = {"captured": 6}
    return found


def test_the_ledger_is_told_by_state_and_day(planned):
    """States have their numbers and meanings, and each day has who was captured, reset and waiting at its end."""
    said = parsed(planned, LEDGER, counted=counted()).section("passwords")
    assert "The ledger knows 100 persons" in said
    assert "in the new pool; the first sign-in captures the password" in said
    assert "2026-09-21 30 10 50" in said
    assert "2026-09-20 26 9 55" in said


def test_days_are_counted_back_from_today():
    """Every day has the same whole, and days before anything happened are left out, but for a week."""
    days = waiting_by_day(counted())
    assert len(days) == 7
    assert {sum(one.number for one in slices) for _, slices in days} == {90}
    assert [one.number for one in dict(days)["2026-09-19"]] == [26, 9, 55]
    assert [one.number for one in dict(days)["2026-09-18"]] == [20, 9, 61]
    assert [one.label for one in days[0][1]] == [PersonState.CAPTURED, PersonState.RESET, PersonState.PENDING]


@pytest.mark.parametrize(
    ("config", "unread", "said"),
    [(PLAIN, None, "no ledger"), (LEDGER, "access denied.", "not read: access denied."), (LEDGER, None, "not read")],
)
def test_without_a_count_of_the_ledger(planned, config, unread, said):
    """A migration without a ledger, and one whose ledger cannot be read, have a page that says so."""
    assert said in parsed(planned, config, unread=unread).section("passwords")


def test_the_style_is_for_light_dark_narrow_and_paper():
    """The page has colours for both schemes, a narrow layout and one for print."""
    style = (Path(__file__).parents[3] / "batch" / "report" / "page.css").read_text(encoding="utf-8")
    for query in ("prefers-color-scheme: dark", "max-width", "@media print"):
        assert query in style
