"""The tables of the inventory, and what each is for. Only `inventory` makes them."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The old pool. `scan` is the number of the scan that saw the row last; `groups_read` of the one that read its groups.
CREATE TABLE users (
    sub TEXT PRIMARY KEY, username TEXT NOT NULL, status TEXT NOT NULL, enabled INTEGER NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL, attributes TEXT NOT NULL,
    scan INTEGER NOT NULL, groups_read INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX users_by_username ON users (username);
CREATE TABLE groups (
    name TEXT PRIMARY KEY, description TEXT, precedence INTEGER, role_arn TEXT,
    scan INTEGER NOT NULL, members_read INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE memberships (
    sub TEXT NOT NULL, group_name TEXT NOT NULL, scan INTEGER NOT NULL, PRIMARY KEY (sub, group_name)
) WITHOUT ROWID;

-- What is to become of each user, made anew from users and rules; username is the name in the target.
CREATE TABLE plan (
    sub TEXT PRIMARY KEY, action TEXT NOT NULL, reason TEXT, username TEXT, reset_channel INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE identifiers (
    identifier TEXT NOT NULL, sub TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (identifier, sub)
) WITHOUT ROWID;

-- What was done in the target; never deleted. state: intended, created, secured, done, refused, gone,
-- undoing, undone.
CREATE TABLE progress (
    sub TEXT PRIMARY KEY, state TEXT NOT NULL, intended_at REAL, new_sub TEXT, username TEXT,
    problem_kind TEXT, problem TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX progress_by_new_sub ON progress (new_sub) WHERE new_sub IS NOT NULL;
CREATE TABLE granted (
    sub TEXT NOT NULL, group_name TEXT NOT NULL, PRIMARY KEY (sub, group_name)
) WITHOUT ROWID;
-- Whom the ledger knows, as which digest of a person.
CREATE TABLE published (sub TEXT PRIMARY KEY, as_of TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE target_groups (name TEXT PRIMARY KEY, made INTEGER NOT NULL, definition TEXT) WITHOUT ROWID;

-- What was written last of each user, which a later scan is compared with, and of each group above (`definition`).
-- `groups` were wanted then, null if that is not known; `giving` may be given by now.
CREATE TABLE applied (
    sub TEXT PRIMARY KEY, attributes TEXT NOT NULL, enabled INTEGER NOT NULL,
    groups TEXT, giving TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;
-- Whose changes are to be carried over, made anew with the plan: how many calls of each kind.
CREATE TABLE changes (
    sub TEXT PRIMARY KEY, disables INTEGER NOT NULL, enables INTEGER NOT NULL, sets INTEGER NOT NULL,
    deletes INTEGER NOT NULL, joins INTEGER NOT NULL, leaves INTEGER NOT NULL,
    restricted INTEGER NOT NULL, contested INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
-- Changes that were not carried over; sub is empty for a group's. Those not final are tried again.
CREATE TABLE conflicts (
    sub TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, final INTEGER NOT NULL, PRIMARY KEY (sub, name)
) WITHOUT ROWID;

-- Each scan, run, sync, verify. `ended` is NULL while it runs, or if it was killed; `counts` is JSON, `caller` an ARN.
CREATE TABLE runs (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, started REAL NOT NULL, ended REAL, caller TEXT,
    config_digest TEXT NOT NULL, plan_digest TEXT, counts TEXT, exit_code INTEGER
) WITHOUT ROWID;
-- When the migration last wrote to a user that it gave its password, by Cognito's clock: a later change was another's.
CREATE TABLE last_write (sub TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
-- Users whom `undo` took back, or is about to; how far they were; whether they had been used. Never deleted once gone.
CREATE TABLE undone (
    new_sub TEXT PRIMARY KEY, sub TEXT NOT NULL, username TEXT, was TEXT NOT NULL, used INTEGER NOT NULL,
    revoked TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX undone_by_sub ON undone (sub);
"""
