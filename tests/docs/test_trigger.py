"""The code in docs/trigger.md is what a reader will paste, so it is run."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mishaps import on, raising, refusal
from signing_in import claims
from triggering import OLD_PASSWORD, WRONG_PASSWORD, new_world, token_groups

import trigger.handler
from trigger.handler import ROUTES

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "trigger.md").read_text(encoding="utf-8")


def code(about: str) -> dict[str, Any]:
    """Run the block of the guide that defines a name, and return what it defines."""
    block = next(block for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if f"def {about}(" in block)
    module = ModuleType("guide")
    exec(compile(block, "docs/trigger.md", "exec"), module.__dict__)  # noqa: S102 -- the project's own documentation
    return module.__dict__


def test_the_app_of_the_guide_signs_in_whoever_was_created_ahead(world):
    """The old password gives tokens at the first try of the app's own function."""
    world.add_old("ada", groups=["admins"])
    world.publish()
    world.precreate("ada")
    answer = code("sign_in")["sign_in"](world.cognito, world.app, "ada", OLD_PASSWORD)
    assert token_groups(answer) == ["admins"]


def test_the_app_of_the_guide_tells_a_wrong_password(world):
    """A wrong password, or nobody's name, is what it always was to the app."""
    world.add_old("ada")
    world.publish()
    world.precreate("ada")
    for name in ("ada", "nobody"):
        with pytest.raises(world.cognito.exceptions.NotAuthorizedException):
            code("sign_in")["sign_in"](world.cognito, world.app, name, WRONG_PASSWORD)


def test_the_app_of_the_guide_opens_forgot_password_where_it_must():
    """A right password that the new pool's policy refuses raises ResetNeeded."""
    world = new_world(pool_options={"Policies": {"PasswordPolicy": {"MinimumLength": 20}}})
    world.add_old("ada")
    world.publish()
    world.precreate("ada", password="A-very-l0ng-random-password!")
    guide = code("sign_in")
    with pytest.raises(guide["ResetNeeded"]):
        guide["sign_in"](world.cognito, world.app, "ada", OLD_PASSWORD)


def test_the_app_of_the_guide_tries_later(world):
    """While the new pool takes no password, a right one raises TryLater."""
    world.add_old("ada")
    world.publish()
    world.precreate("ada")
    on(world.target_client, "AdminSetUserPassword", raising(refusal("OperationNotEnabledException")))
    guide = code("sign_in")
    with pytest.raises(guide["TryLater"]):
        guide["sign_in"](world.cognito, world.app, "ada", OLD_PASSWORD)


def test_a_handler_of_ones_own_adds_to_ours(world):
    """The handler of the guide gives the token its groups and its own claim."""
    guide = code("lambda_handler")
    assert guide["migration"] is trigger.handler.handler
    guide["migration"] = world.handler  # which a deployed function makes from its environment
    own = guide["lambda_handler"]
    (name,) = [name for name in world.local.world.functions if name.startswith("function-")]
    world.local.world.functions[name] = own
    world.add_old("ada", groups=["admins"])
    world.publish()
    answer = world.sign_in("ada", OLD_PASSWORD)
    assert token_groups(answer) == ["admins"]
    assert claims(answer)["tenant"] == "example"


def test_every_variable_of_the_function_is_in_the_guide():
    """No environment variable is read that the guide does not name."""
    source = (ROOT / "trigger" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z][A-Z_]{3,})"', source))
    assert read
    assert {name for name in read if f"`{name}`" not in GUIDE} == set()


def test_every_trigger_that_is_needed_is_in_the_guide():
    """Each trigger whose sources the function knows is named where the guide says what to attach."""
    needed = {source.partition("_")[0].replace("TokenGeneration", "PreTokenGeneration") for source in ROUTES}
    assert {name for name in needed if name not in GUIDE} == set()
