"""How wrong passwords lock a user, and how long a challenge waits for its answer."""

from __future__ import annotations

from live import create_user, refused
from signing_in import (
    NEW_PASSWORD,
    WRONG_PASSWORD,
    new_client,
    respond,
    set_password,
    sign_in,
)


def test_five_wrong_passwords_lock(cognito, local, client_id):
    """After five wrong passwords the right one is refused until the lock ends, a second later."""
    for _ in range(5):
        with refused("NotAuthorizedException", "Incorrect username or password."):
            sign_in(cognito, client_id, password=WRONG_PASSWORD)
    with refused("NotAuthorizedException", "Password attempts exceeded"):
        sign_in(cognito, client_id)
    local.world.clock.advance(1)
    assert "AuthenticationResult" in sign_in(cognito, client_id)


def test_each_further_wrong_password_doubles_the_lock(cognito, local, client_id):
    """The nth wrong password locks for 2^(n-5) seconds, and at most for 15 minutes."""
    for wrong in range(1, 20):
        with refused("NotAuthorizedException", "Incorrect username or password."):
            sign_in(cognito, client_id, password=WRONG_PASSWORD)
        if wrong >= 5:
            lock = min(2 ** (wrong - 5), 900)
            local.world.clock.advance(lock - 0.5)
            with refused("NotAuthorizedException", "Password attempts exceeded"):
                sign_in(cognito, client_id)
            local.world.clock.advance(0.5)


def test_a_quiet_quarter_of_an_hour_forgets_wrong_passwords(cognito, local, client_id):
    """After 15 minutes without an attempt five more wrong passwords are free."""
    for _ in range(2):
        for _ in range(5):
            with refused("NotAuthorizedException", "Incorrect username or password."):
                sign_in(cognito, client_id, password=WRONG_PASSWORD)
        local.world.clock.advance(900)


def test_the_right_password_forgets_the_wrong_ones(cognito, client_id):
    """After a success five more wrong passwords are free."""
    for _ in range(3):
        for _ in range(4):
            with refused("NotAuthorizedException", "Incorrect username or password."):
                sign_in(cognito, client_id, password=WRONG_PASSWORD)
        assert "AuthenticationResult" in sign_in(cognito, client_id)


def test_a_session_is_good_once(cognito, pool_id, client_id):
    """A challenge that was answered can not be answered again."""
    set_password(cognito, pool_id, "bob", permanent=False)
    asked = sign_in(cognito, client_id)
    respond(cognito, client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD})
    with refused("NotAuthorizedException", "Invalid session for the user, session can only be used once."):
        respond(cognito, client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD})


def test_a_session_ends(cognito, local, pool_id, client_id):
    """A challenge is to be answered within AuthSessionValidity, by default three minutes."""
    set_password(cognito, pool_id, "bob", permanent=False)
    asked = sign_in(cognito, client_id)
    local.world.clock.advance(181)
    with refused("NotAuthorizedException", "Invalid session for the user, session is expired."):
        respond(cognito, client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD})


def test_a_session_is_of_one_user_and_one_client(cognito, pool_id, client_id):
    """A challenge can not be answered for somebody else, or through another app client."""
    set_password(cognito, pool_id, "bob", permanent=False)
    create_user(cognito, pool_id, "eve")
    asked = sign_in(cognito, client_id)
    with refused("NotAuthorizedException", "Invalid session for the user."):
        respond(cognito, client_id, asked, {"USERNAME": "eve", "NEW_PASSWORD": NEW_PASSWORD})
    with refused("NotAuthorizedException", "Invalid session for the user."):
        respond(cognito, new_client(cognito, pool_id), asked, {"NEW_PASSWORD": NEW_PASSWORD})
