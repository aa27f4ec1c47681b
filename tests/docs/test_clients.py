"""The code in docs/clients.md is what a reader will paste, so it is run: in a browser where it is JavaScript."""

from __future__ import annotations

import re
import shutil
import subprocess
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from client_page import APP, BY_SRP, GUIDE, RECIPES, Visitor, build, chromium, missing, served, write_recipes
from mishaps import on, raising, refusal
from signing_in import FLOWS
from triggering import NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world, token_groups

from sandbox.server import Sandbox

MISSING = missing()
in_browser = pytest.mark.skipif(bool(MISSING), reason=MISSING)
LONG = {"Policies": {"PasswordPolicy": {"MinimumLength": 20}}}  # nobody's old password is long enough
LONG_RANDOM = "A-very-l0ng-random-password!"
CHOSEN = "My-own-l0ng-password-of-today!"
SRP = "srp"


# The browser, the page, and a migration behind it.


@pytest.fixture(scope="module")
def page_address(tmp_path_factory):
    """Where the page is served, made of the guide as it stands."""
    with served(build(tmp_path_factory.mktemp("client"))) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser, page_address):
    """Opens the page for a migration, as an app of a client library; gives who sits in front of it."""
    visitors, servers = [], []

    def visit(world: Any, app: str) -> Visitor:
        server = Sandbox(cognito=world.local)
        server.__enter__()
        servers.append(server)
        visitor = Visitor(browser, page_address, server.endpoint_url, world.new_id, world.app)
        visitors.append(visitor)
        visitor.open(app)
        return visitor

    yield visit
    for visitor in visitors:
        visitor.leave()
    for server in servers:
        server.__exit__()


def of_ada(world: Any, *, password: str | None = None) -> str:
    """Publish one user of the old pool, and create her ahead if a random password is given; return her old sub."""
    sub = world.add_old("ada")
    world.publish()
    if password:
        world.precreate("ada", password=password)
    return sub


each_library = pytest.mark.parametrize("app", RECIPES)


@pytest.mark.browser
@in_browser
@each_library
def test_the_page_signs_in_whoever_was_created_ahead(visit, app):
    """The old password gives a token at the first press of the button, and from then on by SRP too."""
    world = new_world()
    sub = of_ada(world, password="R4ndom-Passw0rd!")
    visitor = visit(world, app)
    assert visitor.sign_in("ada", OLD_PASSWORD) == f"Signed in: {sub}"
    assert world.state(sub) == "captured"
    visitor = visit(world, SRP)
    assert visitor.sign_in("ada", OLD_PASSWORD) == f"Signed in: {sub}"


@pytest.mark.browser
@in_browser
@each_library
def test_the_page_signs_in_whoever_was_not_created_yet(visit, app):
    """UserMigration takes over somebody unknown with the page's first call."""
    world = new_world()
    sub = of_ada(world)
    visitor = visit(world, app)
    assert visitor.sign_in("ada", OLD_PASSWORD) == f"Signed in: {sub}"
    assert [call["operation"] for call in visitor.sent[:1]] == ["InitiateAuth"]
    assert world.calls["old.AdminInitiateAuth"] == 1


@pytest.mark.browser
@in_browser
@each_library
@pytest.mark.parametrize("hides", [True, False], ids=["hides-existence", "tells"])
def test_the_page_says_that_a_password_is_wrong(visit, app, hides):
    """A wrong password and nobody's name are refused, each after one attempt in the old pool at most."""
    world = new_world(hides_existence=hides)
    sub = of_ada(world, password="R4ndom-Passw0rd!")
    visitor = visit(world, app)
    assert visitor.sign_in("ada", WRONG_PASSWORD).startswith("NotAuthorizedException")
    assert world.calls["old.AdminInitiateAuth"] == 1
    expected = "NotAuthorizedException" if hides else "UserNotFoundException"
    assert visitor.sign_in("nobody", WRONG_PASSWORD).startswith(expected)
    assert world.calls["old.AdminInitiateAuth"] == 1
    assert world.state(sub) == "pending"


@pytest.mark.browser
@in_browser
@each_library
def test_the_page_opens_forgot_password_where_the_password_cannot_be_taken_over(visit, app):
    """A right password that is too short for the new pool leads to the form, and the new one signs in."""
    world = new_world(pool_options=LONG)
    sub = of_ada(world, password=LONG_RANDOM)
    visitor = visit(world, app)
    assert visitor.sign_in("ada", OLD_PASSWORD) == "Reset the password."
    assert visitor.reset(world.user("ada").code, CHOSEN) == "Password set."
    assert visitor.sign_in("ada", CHOSEN) == f"Signed in: {sub}"
    assert world.state(sub) == "reset"


@pytest.mark.browser
@in_browser
@each_library
def test_the_page_says_to_try_later_while_the_new_pool_takes_no_password(visit, app):
    """It opens no form, one press is one attempt, and after the pause the same password signs in."""
    world = new_world()
    sub = of_ada(world, password="R4ndom-Passw0rd!")
    end = on(world.target_client, "AdminSetUserPassword", raising(refusal("OperationNotEnabledException")))
    visitor = visit(world, app)
    assert visitor.sign_in("ada", OLD_PASSWORD) == "TryLaterException: Try again later."
    assert world.calls["old.AdminInitiateAuth"] == 1
    end()
    assert visitor.sign_in("ada", OLD_PASSWORD) == f"Signed in: {sub}"


@pytest.mark.browser
@in_browser
@each_library
def test_the_page_opens_forgot_password_for_a_user_with_mfa_in_the_old_pool(visit, app):
    """UserMigration creates them as RESET_REQUIRED, and the same sign-in leads to the form, without a challenge."""
    world = new_world()
    of_ada(world)
    world.second_factor("ada", "SOFTWARE_TOKEN_MFA")
    visitor = visit(world, app)
    assert visitor.sign_in("ada", OLD_PASSWORD) == "Reset the password."
    assert "CUSTOM_AUTH" not in {call.get("AuthFlow") for call in visitor.sent}
    assert visitor.reset(world.user("ada").code, NEW_PASSWORD) == "Password set."


@pytest.mark.browser
@in_browser
@each_library
def test_the_page_sends_the_password_where_it_belongs_and_keeps_it_nowhere(visit, app):
    """It is in PASSWORD and in the answer of the challenge, and in no other field, storage, address or message."""
    world = new_world()
    of_ada(world, password="R4ndom-Passw0rd!")
    visitor = visit(world, app)
    visitor.sign_in("ada", OLD_PASSWORD)
    places = [
        (field, name)
        for call in visitor.sent
        for field, value in call.items()
        for name, content in (value.items() if isinstance(value, dict) else [("", value)])
        if OLD_PASSWORD in str(content)
    ]
    assert places == [("AuthParameters", "PASSWORD"), ("ChallengeResponses", "ANSWER"), ("AuthParameters", "PASSWORD")]
    assert OLD_PASSWORD not in visitor.kept() + visitor.page.url + "".join(visitor.console)


@pytest.mark.browser
@in_browser
def test_a_page_that_stays_with_srp_captures_whoever_was_created_ahead(visit):
    """Without its flow the recipe sends the password once, as the answer, and refuses who was not created."""
    world = new_world()
    sub = of_ada(world, password="R4ndom-Passw0rd!")
    world.add_old("bob")
    world.publish()
    visitor = visit(world, BY_SRP)
    assert visitor.sign_in("bob", OLD_PASSWORD).startswith("NotAuthorizedException")
    before = len(visitor.sent)
    assert visitor.sign_in("ada", OLD_PASSWORD) == f"Signed in: {sub}"
    assert "USER_PASSWORD_AUTH" not in {call.get("AuthFlow") for call in visitor.sent}
    assert [OLD_PASSWORD in str(call) for call in visitor.sent[before:]].count(True) == 1


# What needs no browser.


def test_the_javascript_of_the_guide_parses(tmp_path):
    """Each recipe is a module that Node.js can read."""
    node = shutil.which("node")
    if not node:
        pytest.skip("Node.js is not here; with it the recipes are parsed, and by `make clients` they are run.")
    for path in write_recipes(tmp_path / "recipes", ".mjs"):
        subprocess.run([node, "--check", path], check=True, timeout=60)


def test_the_guide_says_which_recipes_are_tested():
    """Every recipe of the page is listed as tested, and no other JavaScript stands in the guide."""
    assert list(RECIPES) == ["amplify-v6", "amplify-v5", "identity-js", "sdk-v3"]
    assert GUIDE.count("```js\n") == len(RECIPES)
    row = next(line for line in GUIDE.splitlines() if "in Chromium" in line)
    assert len(re.findall(r"\[[^]]+\]\(#", row)) == len(RECIPES)


def test_the_lock_file_names_no_registry():
    """The page's packages come from whatever registry npm is set to, and each has its checksum."""
    lock = (APP / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/')


def recipe() -> Any:
    """Run the guide's Python, and return what it defines."""
    (block,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    module = ModuleType("guide")
    exec(compile(block, "docs/clients.md", "exec", dont_inherit=True), module.__dict__)  # noqa: S102 -- the project's own documentation
    return SimpleNamespace(**module.__dict__)


def app_of(world: Any, guide: Any, *, secret: bool) -> Any:
    """An app client of the new pool, with or without a secret, in the guide's words."""
    options = {"ClientName": "server", "ExplicitAuthFlows": FLOWS, "PreventUserExistenceErrors": "ENABLED"}
    client = world.cognito.create_user_pool_client(UserPoolId=world.new_id, GenerateSecret=secret, **options)
    made = client["UserPoolClient"]
    return guide.App(world.cognito, made["ClientId"], made.get("ClientSecret"))


@pytest.mark.parametrize("secret", [False, True], ids=["public", "secret"])
@pytest.mark.parametrize("ahead", [False, True], ids=["unknown", "created-ahead"])
def test_the_python_of_the_guide_signs_in(secret, ahead):
    """The old password gives tokens, whether or not the user was created ahead, and the app client has a secret."""
    world, guide = new_world(), recipe()
    world.add_old("ada", groups=["admins"])
    world.publish()
    if ahead:
        world.precreate("ada")
    assert token_groups(app_of(world, guide, secret=secret).sign_in("ada", OLD_PASSWORD)) == ["admins"]


def test_the_python_of_the_guide_tells_a_wrong_password():
    """A wrong password and nobody's name are NotAuthorizedException."""
    world, guide = new_world(), recipe()
    of_ada(world, password="R4ndom-Passw0rd!")
    app = app_of(world, guide, secret=True)
    for name in ("ada", "nobody"):
        with pytest.raises(world.cognito.exceptions.NotAuthorizedException):
            app.sign_in(name, WRONG_PASSWORD)


def test_the_python_of_the_guide_opens_forgot_password():
    """A right password that is too short, and a second factor in the old pool, raise ResetNeeded and show nothing."""
    world, guide = new_world(pool_options=LONG), recipe()
    of_ada(world, password=LONG_RANDOM)
    app = app_of(world, guide, secret=True)
    with pytest.raises(guide.ResetNeeded) as needed:
        app.sign_in("ada", OLD_PASSWORD)
    assert OLD_PASSWORD not in repr(needed.value)
    assert app.secret not in repr(app)
    world.add_old("bob")
    world.publish()
    world.second_factor("bob", "SOFTWARE_TOKEN_MFA")
    with pytest.raises(guide.ResetNeeded):
        app.sign_in("bob", OLD_PASSWORD)


def test_the_python_of_the_guide_tries_later():
    """While the new pool takes no password, a right one raises TryLater, and a wrong one what it always does."""
    world, guide = new_world(), recipe()
    of_ada(world, password="R4ndom-Passw0rd!")
    app = app_of(world, guide, secret=True)
    end = on(world.target_client, "AdminSetUserPassword", raising(refusal("OperationNotEnabledException")))
    with pytest.raises(guide.TryLater) as later:
        app.sign_in("ada", OLD_PASSWORD)
    assert OLD_PASSWORD not in repr(later.value)
    with pytest.raises(world.cognito.exceptions.NotAuthorizedException):
        app.sign_in("ada", WRONG_PASSWORD)
    end()
    assert "AuthenticationResult" in app.sign_in("ada", OLD_PASSWORD)


@pytest.mark.parametrize("hides_resets", [False, True], ids=["as reported", "as in the guide"])
def test_who_must_reset_comes_back_by_forgot_password(hides_resets):
    """Whichever of its two answers Cognito gives, no password is taken, none is captured, and a code helps."""
    world, guide = new_world(), recipe()
    world.local.world.hides_resets = hides_resets
    sub = world.add_old("bob", {"email": "bob@example.com", "email_verified": "true"})
    world.publish()
    world.second_factor("bob", "SOFTWARE_TOKEN_MFA")
    app = app_of(world, guide, secret=False)
    said = world.cognito.exceptions.NotAuthorizedException if hides_resets else guide.ResetNeeded
    for password in (OLD_PASSWORD, WRONG_PASSWORD, OLD_PASSWORD):
        with pytest.raises(said):
            app.sign_in("bob", password)
        assert not world.captures("bob", password)
    world.forget("bob")
    assert "AuthenticationResult" in app.sign_in("bob", NEW_PASSWORD)
    assert world.state(sub) == "reset"
    with pytest.raises(world.cognito.exceptions.NotAuthorizedException):
        app.sign_in("bob", OLD_PASSWORD)
