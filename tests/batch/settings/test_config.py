from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from batch.settings.config import Config, RateSettings, load, template
from userpool.errors import SettingsError
from userpool.quotas import DEFAULT_RPS
from userpool.settings import PoolSettings

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config.example.yaml"
OLD, NEW = "eu-west-1_OldPool01", "eu-west-1_NewPool01"
POOLS = f"source: {{user_pool_id: {OLD}}}\ntarget: {{user_pool_id: {NEW}}}\n"


@pytest.fixture
def write(tmp_path):
    """Writes a configuration and gives its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "config.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def refusal(path: Path) -> str:
    """What is said of a file that is refused."""
    with pytest.raises(SettingsError) as refused:
        load(path)
    return str(refused.value)


# Files that are no configuration


def test_a_missing_file_is_named_with_how_to_make_one(tmp_path):
    """Without a configuration the message says how to write one."""
    said = refusal(tmp_path / "config.yaml")
    assert str(tmp_path / "config.yaml") in said
    assert "cognito-migrate init" in said


@pytest.mark.parametrize(
    "content", [b"\x80\x04\x95\xff\xfe", b"\xff\xfes\x00o", b"s\x00o\x00", "name: Jörg".encode("latin-1")]
)
def test_a_file_that_is_not_text_is_refused(write, content):
    """A binary file, or one in another encoding, is refused in one sentence that names it."""
    assert "cannot be read" in refusal(write(content))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_configuration_may_have_a_byte_order_mark(write, encoding):
    """What editors of Windows save is read: UTF-8 and UTF-16 with a byte order mark."""
    path = write(f"source: {{user_pool_id: {OLD}}}\ntarget: {{user_pool_id: {NEW}}}\n".encode(encoding))
    assert load(path).source.user_pool_id == OLD


def test_a_folder_is_refused(tmp_path):
    """A folder in the place of the file is refused in one sentence."""
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "- source\n- target\n", "just words", "42"])
def test_a_file_without_settings_is_refused(write, content):
    """An empty file, a list or a word is refused, with where to look."""
    said = refusal(write(content))
    assert "must hold keys and values" in said
    assert "config.example.yaml" in said


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("source: {user_pool_id: a\ntarget: b\n", 2),
        (f"{POOLS}users:\n  unconfirmed: skip\n   disabled: keep\n", 5),
        (f'{POOLS}state: "migration.db\n', 3),
        (f"{POOLS}\trate: 1\n", 3),
    ],
)
def test_malformed_yaml_is_refused_with_its_line(write, content, line):
    """A slip in indentation, quotes or brackets is refused with the line, or the one after it, where YAML stumbled."""
    said = refusal(write(content))
    assert "is not YAML" in said
    assert f"line {line}," in said or f"line {line + 1}," in said


@pytest.mark.parametrize("content", [f"{POOLS}state: 2024-13-45\n", f"{POOLS}state: !!python/name:os.system\n"])
def test_what_yaml_cannot_make_a_value_of_is_refused(write, content):
    """An impossible date, or an attempt to run code, ends in one sentence."""
    assert "is not YAML" in refusal(write(content))


# Settings


def test_paths_are_relative_to_the_file(write, tmp_path, monkeypatch):
    """The inventory and the decisions are found beside the configuration, from wherever the job runs."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load(write(f"{POOLS}state: data/old.db\ncollisions: decided.csv\n"))
    assert Path(config.state) == tmp_path / "data" / "old.db"
    assert Path(config.collisions) == tmp_path / "decided.csv"


def test_absolute_paths_stay(write):
    """A path from the root is taken as it is."""
    config = load(write(f"{POOLS}state: /var/lib/old.db\ncollisions: /srv/decided.csv\n"))
    assert (config.state, config.collisions) == ("/var/lib/old.db", "/srv/decided.csv")


def test_collisions_are_reported_by_default(write, tmp_path):
    """Without a decisions file the word `report` stays, and is no path."""
    config = load(write(POOLS))
    assert config.collisions == "report"
    assert Path(config.state) == tmp_path / "migration.db"


def test_all_rules_are_handed_on_together(write):
    """What decides how users cross can be given to the other side as one value."""
    rules = load(write(f"{POOLS}groups: {{drop: [Trial]}}\nusers: {{disabled: skip}}\n")).rules
    assert (rules.groups.drop, rules.users.disabled) == (("Trial",), "skip")


@pytest.mark.parametrize(("share", "shares", "expected"), [(0.5, {}, 0.5), (0.25, {"UserCreation": 1.0}, 1.0)])
def test_a_share_of_a_category_goes_before_the_share_of_all(share, shares, expected):
    """A category takes its own share if it has one, else the common one."""
    rate = RateSettings(share=share, shares=shares)
    assert rate.share_of("UserCreation") == expected
    assert rate.share_of("UserRead") == share


@pytest.mark.parametrize("share", [0, -0.1, 1.01, 50, float("nan"), float("inf")])
def test_a_share_is_a_part(share):
    """A share is more than nothing and at most everything, for all categories and for one."""
    with pytest.raises(SettingsError, match="a share is more than 0 and at most 1"):
        RateSettings(share=share)
    with pytest.raises(SettingsError, match="a share is more than 0 and at most 1"):
        RateSettings(shares={"UserCreation": share})


@pytest.mark.parametrize("limit", [0, -5, float("nan"), float("inf")])
def test_a_limit_is_a_rate(limit):
    """A limit is a number of requests a second that a limiter can keep to."""
    with pytest.raises(SettingsError, match="the limit of UserCreation"):
        RateSettings(limits={"UserCreation": limit})


def test_every_category_can_have_a_share_and_a_limit():
    """All quota categories are known to the configuration, and whole numbers are rates as well."""
    config = RateSettings(shares=dict.fromkeys(DEFAULT_RPS, 1.0), limits=dict.fromkeys(DEFAULT_RPS, 7.0))
    assert all(config.share_of(category) == 1 for category in DEFAULT_RPS)


@pytest.mark.parametrize("workers", [0, -1, 1001])
def test_workers_are_within_reason(write, workers):
    """A number of workers that cannot work is refused."""
    assert "workers is 1 to 1000" in refusal(write(f"{POOLS}workers: {workers}\n"))


@pytest.mark.parametrize(("workers", "count"), [("1", 1), ("1000", 1000)])
def test_workers_can_be_set(write, workers, count):
    """As many calls are under way at once as configured."""
    assert load(write(f"{POOLS}workers: {workers}\n")).worker_count == count


def test_workers_are_chosen_if_they_are_not_set(write):
    """`auto` is a number of workers too."""
    assert load(write(f"{POOLS}workers: auto\n")).worker_count == load(write(POOLS)).worker_count > 1


# The example, and what `init` writes


def test_the_example_is_what_init_writes():
    """The example in the repository is the very file that `init` makes for two pools."""
    assert EXAMPLE.read_text(encoding="utf-8") == template(OLD, NEW)


def test_the_example_loads_and_is_all_defaults():
    """The example means the same as a file with two pool ids and nothing else."""
    config = load(EXAMPLE)
    assert config == Config(
        PoolSettings(OLD, region="eu-west-1"),
        PoolSettings(NEW, region="eu-west-1"),
        state=str(ROOT / "migration.db"),
    )


@pytest.mark.parametrize("pool_id", ["us-gov-west-1_AbCdEf123", "eu-central-2_x"])
def test_init_takes_the_region_from_the_id(write, pool_id):
    """What `init` writes for pools of other regions loads, with those regions."""
    config = load(write(template(pool_id, NEW)))
    assert (config.source.user_pool_id, config.source.region) == (pool_id, pool_id.partition("_")[0])


@pytest.mark.parametrize(("old", "new"), [("OldPool01", NEW), (OLD, "eu-west-1"), ("", "")])
def test_init_refuses_what_is_no_pool_id(old, new):
    """A configuration is not written for ids that no pool can have."""
    with pytest.raises(SettingsError, match="is not the id of a user pool"):
        template(old, new)


def test_init_leaves_no_placeholder():
    """Everything that the template leaves open is filled in."""
    raw = files("batch.settings").joinpath("config.template.yaml").read_text(encoding="utf-8")
    placeholders = {"OLD_POOL_ID", "NEW_POOL_ID", "OLD_REGION", "NEW_REGION"}
    assert all(name in raw for name in placeholders)
    assert not any(name in template(OLD, NEW) for name in placeholders)


def settings_of(kind: type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting, by its path, with its default; sections are walked into."""
    hints = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        where = (*path, item.name)
        if dataclasses.is_dataclass(hints[item.name]):
            yield from settings_of(hints[item.name], where)
        elif item.default_factory is not dataclasses.MISSING:
            yield where, item.default_factory()
        else:
            yield where, item.default


SETTINGS = dict(settings_of(Config))
WITH_DEFAULT = [path for path, default in SETTINGS.items() if default is not dataclasses.MISSING]


def example_values(values: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that the example gives, by its path."""
    for key, value in (yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")) if values is None else values).items():
        if isinstance(value, dict) and value:
            yield from example_values(value, (*path, key))
        else:
            yield (*path, key), value


def example_lines() -> dict[tuple[str, ...], str]:
    """The line of the example that each setting stands on, by its path."""
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = text.splitlines()

    def walk(node: yaml.MappingNode, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
        for key, value in node.value:
            yield (*path, key.value), lines[key.start_mark.line]
            if isinstance(value, yaml.MappingNode):
                yield from walk(value, (*path, key.value))

    return dict(walk(yaml.compose(text), ()))


def test_the_example_names_every_setting_and_no_other():
    """A person who reads the example has seen all that can be set."""
    assert {path for path, _ in example_values()} == set(SETTINGS)


@pytest.mark.parametrize("path", WITH_DEFAULT, ids=".".join)
def test_the_example_gives_each_setting_its_default(path):
    """What the example says is what happens if the line is deleted."""
    value = dict(example_values())[path]
    if path[-1] == "region":
        assert value == PoolSettings(OLD).region_name
    elif isinstance(SETTINGS[path], tuple):
        assert tuple(value) == SETTINGS[path]
    else:
        assert value == SETTINGS[path]


# The target's settings are the source's, and are explained there.
@pytest.mark.parametrize("path", [path for path in WITH_DEFAULT if path[0] != "target"], ids=".".join)
def test_the_example_explains_each_setting_on_its_line(path):
    """Every setting that can be left alone says beside it what it is for."""
    _, sharp, comment = example_lines()[path].partition(" # ")
    assert sharp
    assert len(comment.split()) > 1


def test_a_key_that_stands_twice_is_refused(tmp_path):
    """A second `groups:` section is refused with its line, since YAML would silently let it undo the first."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "source: {user_pool_id: eu-west-1_Old}\ntarget: {user_pool_id: eu-west-1_New}\n"
        "groups: {drop: [admins]}\ngroups: {read: user}\n"
    )
    with pytest.raises(SettingsError, match=r"line 4.*groups stands twice"):
        load(path)
