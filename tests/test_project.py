from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import hypothesis
import pytest
import yaml
from command_line import commands
from doors import DOORS

from batch.cli.main import COMMANDS, cli

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
# A file, or with a / at its end a folder.
ONLY_IN = {
    "sandbox": {"batch/cli/demo.py"},
    "tenacity": {"batch/pacing/pacer.py"},
    "click": {"batch/cli/"},
    "yaml": {"batch/settings/config.py"},
    "tqdm": {"batch/runtime/progress_bar.py"},
    "jinja2": {"batch/report/page.py"},
    "markupsafe": {"batch/report/page_pictures.py"},
    "boto3": {"userpool/client.py"},
    "sqlite3": {"batch/inventory/inventory.py"},
    # What the function would decide, the diagnosis asks of the function's own code.
    "trigger": {"batch/lambda_trigger/diagnosis.py"},
}

ARROWS = {  # a wing of batch/, and the wings that it may import; CONTRIBUTING draws it
    "runtime": "",
    "settings": "runtime",
    "inventory": "settings",
    "plan": "inventory settings",
    "pacing": "inventory runtime",
    "pools": "pacing plan inventory settings runtime",
    "ledger": "pacing plan inventory settings runtime",
    "scan": "ledger pools plan inventory settings runtime",
    "run": "ledger pacing plan inventory runtime",
    "undo": "ledger plan inventory runtime",
    "campaign": "ledger plan inventory runtime",
    "cutover": "ledger inventory settings",
    "lambda_trigger": "ledger pacing settings",
    "verify": "scan pools plan inventory runtime",
    "recovery": "scan ledger plan inventory settings runtime",
    "check": "lambda_trigger recovery ledger pools pacing plan inventory settings runtime",
    "report": "verify ledger pools plan inventory settings runtime",
}
ARROWS["cli"] = " ".join(ARROWS)
MOST_MODULES = 28  # of a folder: more than that nobody can look through
MOST_LINES = 500


@cache
def files_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All of the syntax of a file."""
    return [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


@cache
def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found = set()
    for node in nodes(path):
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
    """A library, the sandbox or the trigger is imported where it belongs, and by no other file of the product."""
    outside = [package for package in PACKAGES if package != stranger]
    found = {shortly(path) for package in outside for path in files_of(package) if stranger in imports(path)}
    places = ONLY_IN[stranger]
    assert [file for file in found if not file.startswith(tuple(places))] == []
    assert [one for one in places if not any(file.startswith(one) for file in found)] == []


def module_of(path: Path) -> tuple[str, ...]:
    """The module that a file is, as parts: ("batch", "plan", "cohort")."""
    return path.relative_to(ROOT).with_suffix("").parts


MODULES = {module_of(path) for path in files_of("batch")}


@cache
def imported(path: Path) -> list[tuple[tuple[str, ...], str]]:
    """The modules of batch/ that a file imports, wherever in it, as parts, and the name that it takes of each.

    `from batch.plan.cohort import Cohort`, `from batch.plan import cohort` and `import batch.plan.cohort` all name the
    module `cohort`; the name is empty where the whole module is taken.
    """
    found: list[tuple[tuple[str, ...], str]] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += ((tuple(alias.name.split(".")), "") for alias in node.names if alias.name.startswith("batch"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "batch":
            module = tuple((node.module or "").split("."))
            for alias in node.names:
                is_module = (*module, alias.name) in MODULES
                found.append(((*module, alias.name), "") if is_module else (module, alias.name))
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            assert name not in {"import_module", "__import__"}, f"{path} imports in a way that no test would follow"
    return found


def wing(module: tuple[str, ...]) -> str:
    """The wing of a module of batch/: its first folder."""
    return module[1]


def files_of_wings() -> list[Path]:
    return [path for path in files_of("batch") if len(module_of(path)) > 2]


def arrows_between_files() -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    return {module_of(path): {module for module, _ in imported(path)} for path in files_of_wings()}


@pytest.mark.parametrize("name", ARROWS)
def test_a_wing_imports_what_lies_below_it(name):
    """No file of a wing imports a wing that its row does not name."""
    allowed = {name, *ARROWS[name].split()}
    for path in files_of(f"batch/{name}"):
        wrong = {".".join(module) for module, _ in imported(path) if len(module) < 2 or wing(module) not in allowed}
        assert not wrong, f"{shortly(path)} imports {wrong}"


def test_every_file_has_a_wing():
    """In batch/ itself lie only `__init__.py` and `__main__.py`, and every folder is a wing that is listed."""
    entries = [entry for entry in (ROOT / "batch").iterdir() if entry.name != "__pycache__"]
    assert {entry.name for entry in entries if entry.is_file()} == {"__init__.py", "__main__.py"}
    assert {entry.name for entry in entries if entry.is_dir()} == set(ARROWS)


def test_arrows_run_one_way():
    """The wings can be put in an order in which each imports only those before it."""
    between = {name: set(below.split()) for name, below in ARROWS.items()}
    assert set(TopologicalSorter(between).static_order()) == set(ARROWS)


def test_no_file_is_in_a_circle():
    """The files can be put in such an order, too, so that no circle hides behind the wall of a wing."""
    found = arrows_between_files()
    assert set(found) <= set(TopologicalSorter(found).static_order())


def test_a_plain_check_knows_no_throw_away_pool():
    """Nothing of `check` imports what lies in `check/live/`."""
    plain = [path for path in files_of("batch/check") if "live" not in module_of(path)]
    assert [shortly(path) for path in plain if any(module[2:3] == ("live",) for module, _ in imported(path))] == []


@pytest.mark.parametrize("name", ARROWS)
def test_a_door_shows_what_it_shows(name):
    """Other wings take of a wing what DOORS lists, and nothing private: a longer list is seen in review."""
    taken = {
        ".".join((*module[2:], taken))
        for path in files_of_wings()
        if wing(module_of(path)) != name
        for module, taken in imported(path)
        if wing(module) == name
    }
    assert not [one for one in taken if one.rpartition(".")[2].startswith("_")]
    assert sorted(taken) == sorted(DOORS.get(name, "").split())


@pytest.mark.parametrize("path", [path for path in files_of("batch") if path.name == "__init__.py"], ids=shortly)
def test_a_door_sign_imports_nothing(path):
    """The `__init__.py` of a wing is a docstring, so that importing one wing imports no other."""
    (sign,) = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(sign, ast.Expr)
    assert isinstance(sign.value, ast.Constant)


def test_a_name_is_one_class():
    """No two classes of batch/ share a name."""
    classes = Counter(node.name for path in files_of("batch") for node in nodes(path) if isinstance(node, ast.ClassDef))
    assert [name for name, count in classes.items() if count > 1] == []


def test_a_folder_can_be_looked_through():
    """No folder of Python files has more than 26 modules, and no file of the product more than 500 lines."""
    product = [path for package in ALLOWED for path in files_of(package)]
    everything = [path for folder in [*ALLOWED, "bench", "deploy", "tests"] for path in files_of(folder)]
    modules = (path for path in everything if path.name != "__init__.py" and "node_modules" not in path.parts)
    counts = Counter(path.parent for path in modules)
    assert {shortly(folder): count for folder, count in counts.items() if count > MOST_MODULES} == {}
    lengths = {shortly(path): len(path.read_text(encoding="utf-8").splitlines()) for path in product}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_nothing_depends_on_the_tests():
    """No package imports the tests or what only the tests need."""
    of_tests = {"tests", "conftest", "pytest", "hypothesis"} | {path.stem for path in files_of("tests")}
    for package in ALLOWED:
        for path in files_of(package):
            assert not imports(path) & of_tests, shortly(path)


def named_tests(path: Path) -> Iterator[ast.FunctionDef]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def limits_in_seconds(path: Path) -> Iterator[float]:
    """The time limits that a file gives to calls, as numbers."""
    for node in nodes(path):
        if (
            isinstance(node, ast.keyword)
            and (node.arg or "").endswith("timeout")
            and isinstance(node.value, ast.Constant)
        ):
            yield node.value.value


def test_a_busy_machine_fails_no_test():
    """No wait ends before a minute, unless nothing can ever come; no example has a time limit; no queue is short."""
    files = [path for path in files_of("tests") if "node_modules" not in path.parts]
    short = {shortly(path) for path in files if any(0 < seconds < 60 for seconds in limits_in_seconds(path))}
    # Calls that the sandbox never answers, and a port at which nobody listens.
    assert short == {
        "tests/sandbox/test_server.py",
        "tests/sandbox/dynamodb/test_faults.py",
        "tests/userpool/test_ledger_table.py",
    }
    names = {path: {node.arg for node in nodes(path) if isinstance(node, ast.keyword)} for path in files}
    assert [shortly(path) for path in files if "deadline" in names[path]] == ["tests/conftest.py"]
    assert hypothesis.settings().deadline is None
    servers = {path: path.read_text(encoding="utf-8") for path in files if "http" in imports(path)}
    dropping = [
        path for path, text in servers.items() if "HTTPServer" in text if "request_queue_size = 128" not in text
    ]
    assert [shortly(path) for path in dropping] == []


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
    assert {"init", "scan", "plan", "run", "verify", "demo"} <= set(commands(cli))


def test_there_are_commands_within_commands():
    """The commands about the function are in a group of their own."""
    assert {"trigger package", "trigger test"} <= set(commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_not_imported_is_listed_as_it_is(name):
    """The list of commands has the first paragraph of each command's own help, which it shows without importing it."""
    first, _, _ = inspect.cleandoc(commands(cli)[name].help).partition("\n\n")
    assert COMMANDS[name].help == " ".join(first.split())


@pytest.mark.parametrize("name", sorted(commands(cli)))
def test_every_command_is_explained(name):
    """Each command, and each of its options, has a help text, and the README names the command."""
    command = commands(cli)[name]
    assert (command.help or "").strip().endswith(".")
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert re.search(rf"`(cognito-migrate )?{name}\b", readme()) or f"cognito-migrate {name}" in readme()


def top_level_settings() -> list[str]:
    return list(yaml.safe_load((ROOT / "batch" / "settings" / "config.template.yaml").read_text(encoding="utf-8")))


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
    """What is in the tree and imported is also found by the build, with the files that are read beside the code."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert set(setuptools["packages"]["find"]["include"]) == {f"{package}*" for package in ALLOWED}
    folders = {path.parent for package in ALLOWED for path in files_of(package)}
    assert [shortly(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
    data = setuptools["package-data"].items()
    shipped = {ROOT / package.replace(".", "/") / name for package, names in data for name in names}
    beside = {path for package in ALLOWED for path in (ROOT / package).rglob("*") if path.is_file()}
    assert shipped == {path for path in beside if path.suffix not in {".py", ".pyc"}}
