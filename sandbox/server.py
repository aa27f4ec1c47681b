"""The sandbox over HTTP: Cognito and DynamoDB behind a counter of calls, quotas, latency and an injector of faults."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from sandbox import cors, other_services
from sandbox.cognito import Cognito, settle, shared
from sandbox.dynamodb import dynamodb
from sandbox.errors import CognitoError
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.limits import Quotas
from sandbox.messages import Answer, Call, error_answer, json_answer
from sandbox.point_in_time.controls import controls
from sandbox.pools import client_secrets
from sandbox.sign_in import keys, managed_login
from sandbox.wire import HOST, Environ, HttpServer, read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_CONTROL_PREFIX = "/_sandbox/"
_SECRETS_MANAGER = "secretsmanager."
_KEYS_PATH = "/.well-known/jwks.json"
_MAX_LATENCY_SECONDS = 60
_StartResponse = Any


class Sandbox:
    """A local Cognito on 127.0.0.1, up for as long as the context is entered; port 0 takes any free port.

    Without a `cognito` of its own it shows the one that `local_client` has, too. Quotas are enforced only with
    `quotas`; latency is seconds for every call, and `latencies` for single operations. It serves DynamoDB as well, with
    the tables that all sandboxes of this process share; its operations are named as in `DynamoDB.UpdateItem`.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        cognito: Cognito | None = None,
        quotas: bool = False,
        latency: float = 0.0,
        latencies: Mapping[str, float] | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.cognito = cognito or shared()
        self.latency = latency
        self.latencies = dict(latencies or {})
        self.faults = Faults(faults)
        self._quotas = Quotas(self.cognito.world.clock, self.cognito.world.provisioned) if quotas else None
        self._port = port
        self._server: HttpServer | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._succeeded: Counter[str] = Counter()
        self._created: Counter[tuple[str, str]] = Counter()
        self._failed: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._stopping.clear()
        self._server = HttpServer(self, self._port)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def endpoint_url(self) -> str:
        """The URL to give to boto3 as `endpoint_url`; only while the sandbox is up."""
        if self._server is None:
            raise RuntimeError("The sandbox is not running.")
        return f"http://{HOST}:{self._server.port}"

    @property
    def calls(self) -> Counter[str]:
        """How often each operation was carried out, whatever came of it and whether or not the caller was told."""
        with self._lock:
            return self._calls.copy()

    @property
    def succeeded(self) -> Counter[str]:
        """How often each operation was carried out with success, whether or not the caller was told."""
        with self._lock:
            return self._succeeded.copy()

    @property
    def created(self) -> Counter[tuple[str, str]]:
        """How often AdminCreateUser succeeded for each user pool id and requested username."""
        with self._lock:
            return self._created.copy()

    @property
    def failed(self) -> Counter[str]:
        """How often a fault met a call of each operation, carried out or not."""
        with self._lock:
            return self._failed.copy()

    @property
    def throttled(self) -> Counter[str]:
        """How often each operation was refused for the quotas."""
        with self._lock:
            return self._throttled.copy()

    def reset_counts(self) -> None:
        """Set all counts of calls to zero; the faults keep theirs."""
        with self._lock:
            for counter in (self._calls, self._succeeded, self._created, self._failed, self._throttled):
                counter.clear()

    def __call__(self, environ: Environ, start_response: _StartResponse) -> list[bytes]:
        """Answer a request, as a WSGI application; one that is to be hung up on is given no answer."""
        body = read_body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        answer = cors.preflight(environ) or self._answer(environ, body)
        if answer is None:
            return []
        # By the sandbox's clock, which a test or a rehearsal may have moved.
        date = ("Date", formatdate(self.cognito.world.clock.now(), usegmt=True))
        return answer.adding([*cors.headers(environ), date]).send(start_response)

    def _answer(self, environ: Environ, body: bytes) -> Answer | None:
        """Answer a request, or return None to hang up."""
        if environ["PATH_INFO"].startswith(_CONTROL_PREFIX):
            return self._control(environ, body)
        if environ["PATH_INFO"].endswith(_KEYS_PATH):
            return self._keys(environ["PATH_INFO"].removesuffix(_KEYS_PATH).strip("/"))
        call = Call.of(environ, body)
        return self._other(environ) if call is None else self._serve(call)

    def _other(self, environ: Environ) -> Answer:
        """Answer a call to a service that moto has. The secrets of app clients are of the account of this Cognito."""
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith(_SECRETS_MANAGER):
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.cognito.world.moto.account
            with self.cognito.world.lock:
                settle(self.cognito.world)
        return other_services.answer(environ)

    def _serve(self, call: Call) -> Answer | None:
        """Answer a call to Cognito or DynamoDB, or return None to hang up."""
        self._pause(self.latencies.get(call.operation, self.latency))
        fault = self.faults.choose(call.operation, call.username)
        if fault is None:
            return self._execute_and_count(call)
        with self._lock:
            self._failed[call.operation] += 1
        if fault.kind is FaultKind.HANG_BEFORE:
            self._pause(fault.seconds)
        if not fault.kind.executes:
            return _refusal(call, fault)
        answer = self._execute_and_count(call)
        if fault.kind is FaultKind.DROP_AFTER:
            return None
        self._pause(fault.seconds)
        return answer

    def _pause(self, seconds: float) -> None:
        # Not time.sleep: stopping the sandbox must not wait for a hanging call.
        if seconds > 0:
            self._stopping.wait(seconds)

    def _execute_and_count(self, call: Call) -> Answer:
        answer = self._execute_in_dynamodb(call) if call.is_to_dynamodb else self._execute(call)
        self._count(call, answer)
        return answer

    def _execute_in_dynamodb(self, call: Call) -> Answer:
        return dynamodb.answer(call.operation.partition(".")[2], call.parameters, call.account, call.region)

    def _execute(self, call: Call) -> Answer:
        try:
            if self._quotas is not None:
                self._quotas.admit(call.operation, call.parameters)
            return json_answer(HTTPStatus.OK, self.cognito.call(call.operation, call.parameters, call.region))
        except CognitoError as error:
            return error_answer(error.status, error.code, error.message)
        except Exception as error:  # noqa: BLE001 - a request that boto3 would not send, or a mistake of ours
            return error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalErrorException", f"{type(error).__name__}")

    def _count(self, call: Call, answer: Answer) -> None:
        succeeded = answer.status == HTTPStatus.OK
        with self._lock:
            if answer.code == "TooManyRequestsException":
                self._throttled[call.operation] += 1
            elif answer.code != "UnknownOperationException":
                self._calls[call.operation] += 1
                self._succeeded[call.operation] += succeeded
            if succeeded and call.operation == "AdminCreateUser":
                self._created[call.parameters["UserPoolId"], call.parameters["Username"]] += 1

    def _control(self, environ: Environ, body: bytes) -> Answer:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix(_CONTROL_PREFIX)}"
        known: dict[str, Callable[[bytes], object]] = {
            "GET calls": lambda _: self._counts(),
            "PUT faults": self._put_faults,
            "POST reset-counts": lambda _: self.reset_counts(),
            "PUT latency": self._put_latency,
            "POST sign-in": self._sign_in,
            "POST code": self._code,
            "POST rotate-secret": self._rotate,
            **controls(self.cognito.world),
        }
        if request not in known:
            return json_answer(HTTPStatus.NOT_FOUND, {"message": f"The sandbox has no {request}."})
        try:
            return json_answer(HTTPStatus.OK, known[request](body) or {})
        except CognitoError as error:
            return error_answer(error.status, error.code, error.message)
        except ValueError as error:
            return json_answer(HTTPStatus.BAD_REQUEST, {"message": str(error)})

    def _keys(self, pool_id: str) -> Answer:
        """Answer with the keys that a pool's tokens are signed by."""
        world = self.cognito.world
        try:
            with world.lock:
                return json_answer(HTTPStatus.OK, keys.published(world, world.pool(pool_id)))
        except CognitoError as error:
            return error_answer(HTTPStatus.NOT_FOUND, error.code, error.message)

    def _counts(self) -> dict[str, object]:
        with self._lock:
            created = [[pool_id, username, count] for (pool_id, username), count in self._created.items()]
            return {
                "calls": dict(self._calls),
                "succeeded": dict(self._succeeded),
                "throttled": dict(self._throttled),
                "created": created,
            }

    def _sign_in(self, body: bytes) -> object:
        """Sign somebody in as managed login does."""
        given = json.loads(body)
        names = set(given) if isinstance(given, dict) else set()
        with self.cognito.world.lock:
            if names == {"client_id", "username", "password"}:
                return managed_login.sign_in_with_password(self.cognito.world, **given)
            if {"client_id", "provider", "subject"} <= names <= {"client_id", "provider", "subject", "attributes"}:
                return managed_login.sign_in_from(self.cognito.world, **given)
        raise ValueError("A sign-in has client_id, and username and password or provider, subject and attributes.")

    def _code(self, body: bytes) -> object:
        """Tell the last code that would have been sent to a user, null if none was or it was used."""
        given = json.loads(body)
        if not isinstance(given, dict) or set(given) != {"client_id", "username"}:
            raise ValueError("A code is asked for by client_id and username.")
        with self.cognito.world.lock:
            pool, _ = self.cognito.world.app_client(given["client_id"])
            user = pool.users.find(given["username"])
            return {"code": user.code if user else None}

    def _rotate(self, body: bytes) -> None:
        """Rotate the secret of an app client."""
        client_id = json.loads(body)
        if not isinstance(client_id, str):
            raise ValueError("A secret is rotated by the ID of its app client.")  # noqa: TRY004 - as any bad value
        with self.cognito.world.lock:
            client_secrets.rotate(self.cognito.world, client_id)

    def _put_faults(self, body: bytes) -> None:
        documents = json.loads(body)
        if not isinstance(documents, list):
            raise ValueError("The faults are a JSON list.")  # noqa: TRY004 - answered like any other bad value
        self.faults.replace(Fault.from_json(document) for document in documents)

    def _put_latency(self, body: bytes) -> None:
        seconds = json.loads(body)
        if not isinstance(seconds, int | float) or not 0 <= seconds <= _MAX_LATENCY_SECONDS:
            raise ValueError(f"The latency is a number of seconds, 0 to {_MAX_LATENCY_SECONDS}.")
        self.latency = seconds


def _refusal(call: Call, fault: Fault) -> Answer | None:
    if fault.kind in {FaultKind.DROP_BEFORE, FaultKind.HANG_BEFORE}:
        return None
    return (
        call.throttled() if fault.kind is FaultKind.THROTTLE else call.refused(fault.status, fault.code, fault.message)
    )
