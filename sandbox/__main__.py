"""Serve a local Cognito until told to stop, and say on one line of JSON where it is."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, get_args

from sandbox import app, with_trigger
from sandbox.cognito import shared
from sandbox.dump import DumpError, dump, load
from sandbox.errors import CognitoError
from sandbox.limits import DEFAULT_RPS
from sandbox.local import add_federated, enrol, local_client
from sandbox.made_up.cast import cast
from sandbox.made_up.mixing import Mix
from sandbox.made_up.people import PoolKind
from sandbox.made_up.rehearsal import RehearsalError, fill_from_inventory, offer_alike
from sandbox.made_up.seed import TargetKind, make_target, seed_source
from sandbox.server import Sandbox
from sandbox.with_trigger import WriteConfig

_TRIGGERS = frozenset(
    {
        "CreateAuthChallenge",
        "DefineAuthChallenge",
        "PostAuthentication",
        "PostConfirmation",
        "PreAuthentication",
        "PreSignUp",
        "PreTokenGeneration",
        "UserMigration",
        "VerifyAuthChallengeResponse",
    }
)

_SHARES = {
    "federated": "who come from another provider (3%% by default)",
    "linked": "who are linked to one",
    "sms": "with SMS as second factor",
    "totp": "with an authenticator app",
    "email": "with e-mail as second factor",
    "passkey": "with a passkey",
}
"""The options of a mix, by its fields."""

_REFUSALS = (CognitoError, ImportError, SyntaxError, AttributeError, ValueError, OverflowError, OSError, RehearsalError)


def main(words: Sequence[str] | None = None, write_config: WriteConfig | None = None) -> int:
    """Start, fill the pools, print the JSON line, and serve until a signal or the end of stdin; return 0.

    With --trigger, `write_config` writes the configuration. `sign-in` as the first word signs in to a sandbox that
    serves already. Returns 2, after one sentence on stderr, for a file or function that cannot be used.
    """
    words = sys.argv[1:] if words is None else words
    if words[:1] and words[0] == "sign-in":
        return app.main(words[1:])
    options = _options(words)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_stdin, args=(stop,), daemon=True).start()
    try:
        _refuse_with_trigger(options, write_config)
        pools = _prepare(options)
        quotas = _quotas(options.quotas)
        server = Sandbox(options.port, quotas=quotas, latency=options.latency_ms / 1000)
        with server:
            if write_config and options.trigger:
                _announce_with_trigger(server.endpoint_url, pools, write_config)
            else:
                _announce(server.endpoint_url, pools)
            stop.wait()
        _keep(options.state, pools)
    except _REFUSALS as error:
        sys.stderr.write(f"Error: {error}\n")
        return 2
    return 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cognito-migrate sandbox", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="port on 127.0.0.1, 0 for any free one (the default)")
    add("--seed", type=int, metavar="N", help="make an old user pool with N made-up users")
    add(
        "--hide-resets",
        action="store_true",
        help="answer RESET_REQUIRED users with NotAuthorizedException where the app client hides who exists",
    )
    add("--random", type=int, default=7, metavar="SEED", help="which N users to make up (default 7)")
    for name, whom in _SHARES.items():
        add(f"--{name}", type=share, metavar="SHARE", help=f"with --seed: the share of users {whom}, such as 5%%")
    add("--from", dest="inventory", type=Path, metavar="FILE", help="fill the old pool from a scan: migration.db")
    add("--real", action="store_true", help="with --from: keep real values instead of made-up ones")
    add("--kind", choices=get_args(PoolKind), default="plain", help="kind of the old user pool")
    add("--target-kind", choices=get_args(TargetKind), default="plain", help="kind of the new one")
    add("--latency-ms", type=float, default=0.0, metavar="MS", help="delay of every call")
    add("--quotas", metavar="default|FILE", help="enforce AWS's default quotas, or those of a JSON file")
    add("--lambda", dest="functions", action="append", default=[], metavar="NAME=module:function|NAME=URL",
        help="a Lambda function; if NAME is a trigger, such as UserMigration, the new pool gets it")  # fmt: skip
    add("--state", type=Path, metavar="FILE", help="keep everything in this file, and begin with what it holds")
    add("--trigger", action="store_true",
        help="everything to rehearse the trigger with: app clients, the ledger, the function attached, a user of each "
             "kind; writes config.yaml and sandbox.env into the current folder")  # fmt: skip
    add("--lambda-seconds", type=float, default=5.0, metavar="S", help="how long a function may take (5, as in AWS)")
    add("--until-stdin-closes", action="store_true", help="also stop when stdin is closed")
    return parser.parse_args(words)


def _refuse_with_trigger(options: argparse.Namespace, write_config: WriteConfig | None) -> None:
    if not options.trigger:
        return
    if write_config is None:
        raise ValueError("--trigger also writes config.yaml. Start it with: cognito-migrate sandbox --trigger")
    if options.state:
        raise ValueError("--state does not keep the ledger, so it cannot be combined with --trigger: leave one out.")
    with_trigger.refuse_to_replace(Path(), ("config.yaml", "migration.db", with_trigger.ENVIRONMENT_FILE))


def _prepare(options: argparse.Namespace) -> dict[str, str | None]:
    own = [f"{with_trigger.FUNCTION}={with_trigger.HANDLER}"] if options.trigger else []
    functions = dict(_function(text) for text in [*own, *options.functions])
    shared().world.functions.update(functions)
    shared().world.lambda_seconds = options.lambda_seconds
    shared().world.hides_resets = options.hide_resets
    if options.state and not options.state.parent.is_dir():
        raise ValueError(f"There is no folder for {options.state}.")
    pools = _load(options.state) if options.state and options.state.exists() else _make_pools(options)
    _attach(str(pools["target_pool_id"]), [name for name in functions if name in _TRIGGERS])
    return pools


def _load(path: Path) -> dict[str, str | None]:
    document = _read(path)
    pools = document.get("pools")
    if "sandbox" not in document or not isinstance(pools, dict) or "target_pool_id" not in pools:
        raise DumpError(f"{path} holds no state of a sandbox.")
    load(shared().world, document["sandbox"])
    return pools


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path} is no JSON object.")  # noqa: TRY004 -- one kind of refusal
    return document


def _make_pools(options: argparse.Namespace) -> dict[str, str | None]:
    source_pool_id = None
    with local_client() as client:
        mix = _mix(options)
        target_pool_id = make_target(client, kind=options.target_kind, mix=mix)
        if options.inventory:
            source_pool_id = fill_from_inventory(shared(), options.inventory, real=options.real)
            offer_alike(shared(), source_pool_id, target_pool_id)
        elif options.seed is not None or options.trigger:
            source_pool_id = seed_source(
                client,
                users=options.seed or 0,
                cast=cast(options.kind) if options.trigger else (),
                random=Random(options.random),  # noqa: S311 - invented users, not secrets
                kind=options.kind,
                mix=mix,
                add_federated=add_federated,
                enrol=enrol,
            ).pool_id
    return {"source_pool_id": source_pool_id, "target_pool_id": target_pool_id}


def _mix(options: argparse.Namespace) -> Mix | None:
    """Return the shares asked for, None if none is. The cast of --trigger needs providers and factors in both pools."""
    given = {name: share for name in _SHARES if (share := getattr(options, name)) is not None}
    if options.trigger:
        given = {"sms": 0.02, "totp": 0.02, "linked": 0.02, **given}
    return Mix(**given) if given else None


def share(text: str) -> float:
    """Read a share of users, such as 5%."""
    share = float(text.removesuffix("%")) / 100
    if not 0 <= share <= 1:
        raise ValueError(text)  # argparse says it, with the name of this function
    return share


def _function(text: str) -> tuple[str, Any]:
    name, _, where = text.partition("=")
    if not name or not where:
        raise ValueError(f"--lambda {text}: one looks like UserMigration=package.module:function.")
    if where.startswith("http://"):
        return name, where
    module, _, attribute = where.partition(":")
    if not attribute:
        raise ValueError(f"--lambda {text}: one looks like UserMigration=package.module:function.")
    sys.path.insert(0, str(Path.cwd()))
    function = getattr(importlib.import_module(module), attribute)
    if not callable(function):
        raise ValueError(f"--lambda {text}: {attribute} is no function.")  # noqa: TRY004 -- one kind of refusal
    return name, function


def _attach(pool_id: str, triggers: Sequence[str]) -> None:
    # Not by UpdateUserPool: it would reset every setting of a pool that was read from a file.
    config = {name: f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in triggers}
    pool = shared().world.pool(pool_id)
    pool.config["LambdaConfig"] = {**pool.functions, **config}


def _quotas(chosen: str | None) -> bool:
    if chosen and chosen != "default":
        shared().world.provisioned.update({name: _rps(name, rps) for name, rps in _read(Path(chosen)).items()})
    return chosen is not None


def _rps(category: str, rps: Any) -> float:
    if category not in DEFAULT_RPS:
        raise ValueError(f"{category} is no category of quotas; they are {', '.join(sorted(DEFAULT_RPS))}.")
    if not isinstance(rps, int | float) or isinstance(rps, bool) or rps <= 0:
        raise ValueError(f"The quota of {category} is a number of requests a second.")
    return float(rps)


def _announce(endpoint_url: str, pools: Mapping[str, str | None]) -> None:
    sys.stdout.write(json.dumps({"endpoint_url": endpoint_url, **pools}) + "\n")
    sys.stdout.flush()


def _announce_with_trigger(endpoint_url: str, pools: Mapping[str, str | None], write_config: WriteConfig) -> None:
    cognito = shared()
    place = with_trigger.set_up(cognito, endpoint_url, str(pools["source_pool_id"]), str(pools["target_pool_id"]))
    config = write_config(place)
    with_trigger.write_environment(place, Path())
    _announce(endpoint_url, {**pools, **place.announced})
    sys.stderr.write("".join(f"{line}\n" for line in with_trigger.guide(cognito, place, config)))
    sys.stderr.flush()


def _keep(path: Path | None, pools: Mapping[str, str | None]) -> None:
    if path is None:
        return
    document = json.dumps({"sandbox": dump(shared().world), "pools": pools}, ensure_ascii=False)
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(document)
    new.replace(path)  # whole or not at all


def _wait_for_end_of_stdin(stop: threading.Event) -> None:
    # Not sys.stdin: the interpreter can not exit while a daemon thread holds its lock.
    while os.read(0, 65536):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
