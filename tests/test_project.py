from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest
import yaml

from batch.cli.main import cli

ROOT = Path(__file__).parents[1]
SUPPORT = ROOT / "tests" / "support"
PACKAGES = ("userpool", "batch", "trigger")  # what runs in production; sandbox and tests are for testing it

ALLOWED = {
    "userpool": {"userpool", "boto3", "botocore"},
    "trigger": {"trigger", "userpool", "boto3"},
    # Where each of these: below.
    "batch": {"batch", "userpool", "click", "jinja2", "markupsafe", "tenacity", "tqdm", "yaml", "sandbox", "trigger"},
    "sandbox": {"sandbox", "userpool", "boto3", "botocore", "moto", "joserfc", "werkzeug"},
}
ONLY_IN = {
    "sandbox": {"batch/cli/main.py", "batch/cli/demo.py"},
    "tenacity": {"batch/pacing/pacer.py"},
    "click": {
        "batch/cli/trigger_attach.py",
        "batch/cli/check.py",
        "batch/cli/check_live.py",
        "batch/cli/main.py",
        "batch/cli/cutover.py",
        "batch/cli/demo.py",
        "batch/cli/finish.py",
        "batch/cli/forget.py",
        "batch/cli/init.py",
        "batch/cli/export.py",
        "batch/cli/plan.py",
        "batch/cli/prepare.py",
        "batch/cli/report.py",
        "batch/cli/reset.py",
        "batch/cli/scan.py",
        "batch/cli/sync.py",
        "batch/cli/terminal.py",
        "batch/cli/trigger.py",
        "batch/cli/undo.py",
    },
    "yaml": {"batch/settings/config.py", "batch/cli/demo.py"},
    "tqdm": {"batch/runtime/progress_bar.py"},
    "jinja2": {"batch/report/page_render.py"},
    "markupsafe": {"batch/report/page_pictures.py"},
    "boto3": {"userpool/client.py"},
    "sqlite3": {"batch/inventory/inventory.py", "batch/cli/main.py"},
}


# The trigger asks nobody; what it would decide, the diagnosis asks of its own code.
KNOWS_THE_TRIGGER = {"batch/lambda_trigger/diagnosis.py"}


def files_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this test would not follow"
            found.add((node.module or "").partition(".")[0])
    return found


def shortly(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_one_way(package):
    """A package imports the standard library, what its place in the design allows, and nothing else."""
    assert files_of(package)
    for path in files_of(package):
        strangers = imports(path) - set(sys.stdlib_module_names) - ALLOWED[package]
        assert not strangers, f"{shortly(path)} imports {strangers}"


@pytest.mark.parametrize("stranger", ONLY_IN)
def test_each_stranger_is_known_to_few_files(stranger):
    """A library, or the sandbox, is imported where it belongs, and by no other file that runs in production."""
    found = {shortly(path) for package in PACKAGES for path in files_of(package) if stranger in imports(path)}
    assert found == ONLY_IN[stranger]


def test_one_file_of_the_batch_side_knows_the_trigger():
    """Batch and trigger meet in userpool, but for the diagnosis, which asks the function's own code."""
    found = {shortly(path) for path in files_of("batch") if "trigger" in imports(path)}
    assert found == KNOWS_THE_TRIGGER


def test_nothing_depends_on_the_tests():
    """No package imports the tests or what only the tests need."""
    of_tests = {"tests", "conftest", "pytest", "hypothesis"} | {path.stem for path in files_of("tests")}
    for package in ALLOWED:
        for path in files_of(package):
            assert not imports(path) & of_tests, shortly(path)


def named_tests(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def files_with_tests() -> list[Path]:
    return [path for path in files_of("tests") if path.name.startswith("test_")]


@pytest.mark.parametrize("path", files_with_tests(), ids=shortly)
def test_every_test_says_in_a_sentence_what_it_shows(path):
    """Each test function has a docstring that ends as a sentence does."""
    found = list(named_tests(path))
    assert found
    silent = [test.name for test in found if not (ast.get_docstring(test) or "").endswith(".")]
    assert silent == []


def test_every_test_file_is_found():
    """No test stands in a file that pytest would not collect."""
    overlooked = [
        path.name for path in files_of("tests") if not path.name.startswith("test_") and any(named_tests(path))
    ]
    assert overlooked == []


def test_no_test_imports_a_test():
    """What two test files need lies in tests/support/: nobody imports a test file or conftest.py."""
    others = {"tests"} | {path.stem for path in files_of("tests") if not path.is_relative_to(SUPPORT)}
    ours = [path for path in files_of("tests") if "node_modules" not in path.parts]
    assert {shortly(path): found for path in ours if (found := imports(path) & others)} == {}


def test_support_takes_nobodys_name():
    """The files of tests/support/ are imported by their bare names: each has one that no other module has."""
    names = [path.stem for path in SUPPORT.rglob("*.py")]
    assert len(names) == len(set(names))
    assert not set(names) & {*sys.stdlib_module_names, *packages_distributions(), *ALLOWED, "bench", "deploy"}


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_there_are_commands():
    """The command line has the steps of a migration."""
    assert {"init", "scan", "plan", "run", "verify", "demo"} <= set(cli.commands)


def commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    """The commands of a group by their whole names, and those of the groups in it."""
    found = {}
    for name, command in group.commands.items():
        found[f"{before}{name}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{before}{name} ")
    return found


def test_there_are_commands_within_commands():
    """The commands about the function are in a group of their own."""
    assert {"trigger package", "trigger test"} <= set(commands(cli))


@pytest.mark.parametrize("name", sorted(commands(cli)))
def test_every_command_is_explained(name):
    """Each command, and each of its options, has a help text, and the README names the command."""
    command = commands(cli)[name]
    assert (command.help or "").strip().endswith(".")
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert re.search(rf"`(cognito-migrate )?{name}\b", readme()) or f"cognito-migrate {name}" in readme()


def top_level_settings() -> list[str]:
    return list(yaml.safe_load((ROOT / "batch" / "config.template.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", top_level_settings())
def test_every_setting_is_named_in_the_readme(name):
    """Each section of the configuration can be found in the README, as code."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", readme(), re.DOTALL))
    assert re.search(rf"\b{name}\b", code)


def normal(name: str) -> str:
    """A project's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for some in project["optional-dependencies"].values() for name in some]
    return {normal(re.match(r"[\w.-]+", wanted)[0]) for wanted in [*project["dependencies"], *extras]}


def test_constraints_pin_every_dependency():
    """What is installed for a test is pinned to one version each, from the package index and nowhere else."""
    pins = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in constraints()]
    assert all(pins), [line for line, pin in zip(constraints(), pins, strict=True) if not pin]
    pinned = [normal(pin[1]) for pin in pins]
    assert len(pinned) == len(set(pinned))
    assert dependencies() <= set(pinned)
    assert "://" not in "\n".join(constraints())


def test_every_package_is_shipped():
    """What is in the tree and imported is also named for the build, with the template that `init` writes."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert set(setuptools["packages"]) == set(ALLOWED)
    assert "config.template.yaml" in setuptools["package-data"]["batch"]
