"""boto3 clients whose calls do not go through botocore: to sign, send and read one takes twenty times what it does.

A caller can not tell. What is given is checked and copied as botocore does it, what is answered is copied and has
botocore's types, errors are botocore's, and handlers of `before-call` and `after-call` are called, though without
`params`. With other handlers, and with parameters that are unusual or wrong, a call goes the whole way.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.hooks import EventAliaser, HierarchicalEmitter

from sandbox.messages import Answer
from sandbox.shapes import Answers, Requests, UnusualError

CarryOut = Callable[[str, dict[str, Any]], dict[str, Any] | Answer]
"""Carries out an operation, and returns the document of its answer or, always if it is an error, the whole of it."""

_EVENTS = frozenset({"before-call", "after-call"})
_SUCCESS, _REFUSED = 200, 300
_NUMBERS = itertools.count(1)


def short_client(pattern: Any, carry_out: CarryOut, make_whole: Callable[[], Any]) -> Any:
    """Return a client like the pattern, which may be that of many, whose calls are `carry_out`'s.

    `make_whole` makes one that goes the whole way to the same place. The client is safe to use from many threads.
    """
    handlers = _Handlers()
    client: Any = object.__new__(_short_class(pattern.__class__))
    client.__dict__.update(pattern.__dict__)
    client.meta = copy.copy(pattern.meta)
    client.meta.events = EventAliaser(handlers)
    client.short_way = _ShortWay(_operations(pattern), carry_out, make_whole, handlers)
    return client


@cache
def _short_class(whole: type) -> Any:
    def make_api_call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        return client.short_way.call(client, operation, parameters)

    return type(whole.__name__, (whole,), {"_make_api_call": make_api_call, "close": lambda _: None})


class _Handlers(HierarchicalEmitter):  # type: ignore[misc]  # botocore has no types
    """What is registered on a client, and on the one that goes the whole way: not botocore's own handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.any = False
        self.unusual: list[Any] = []  # those of events that the short way does not have
        self._changes: list[tuple[str, tuple[Any, ...]]] = []
        self._whole: Any = None
        self._lock = threading.Lock()

    def register(self, *handler: Any) -> None:
        """Register a handler."""
        self._change("register", handler)

    def register_first(self, *handler: Any) -> None:
        """Register a handler that is called before all others."""
        self._change("register_first", handler)

    def register_last(self, *handler: Any) -> None:
        """Register a handler that is called after all others."""
        self._change("register_last", handler)

    def unregister(self, *handler: Any) -> None:
        """Take a handler back."""
        self._change("unregister", handler)

    def share(self, whole: Any) -> None:
        """Register all with the events of another client, too, now and later."""
        with self._lock:
            for how, handler in self._changes:
                getattr(whole, how)(*handler)
            self._whole = whole

    def _change(self, how: str, handler: tuple[Any, ...]) -> None:
        with self._lock:
            getattr(super(), how)(*handler)
            if self._whole is not None:
                getattr(self._whole, how)(*handler)
            self._changes.append((how, handler))
            if handler[0].partition(".")[0] not in _EVENTS:
                if how != "unregister":
                    self.unusual.append(handler)
                elif handler in self.unusual:
                    self.unusual.remove(handler)
            self.any = True


class _ShortWay:
    """The calls of one client."""

    def __init__(
        self, operations: _Operations, carry_out: CarryOut, make_whole: Callable[[], Any], handlers: _Handlers
    ) -> None:
        self._operations = operations
        self._carry_out = carry_out
        self._make_whole = make_whole
        self._handlers = handlers
        self._lock = threading.Lock()
        self._whole: Any = None

    def call(self, client: Any, name: str, parameters: dict[str, Any]) -> Any:
        """Do what botocore's method does that makes a call."""
        if self._handlers.unusual:
            return self._call_the_whole_way(name, parameters)
        operation = self._operations[name]
        try:
            request = operation.request(parameters)
        except UnusualError:
            return self._call_the_whole_way(name, parameters)
        if self._handlers.any:
            status, parsed = self._call_heard(operation, request)
        else:
            status, _, parsed = operation.read(self._carry_out(name, request))
        if status >= _REFUSED:
            raise client.exceptions.from_code(parsed.get("Error", {}).get("Code"))(parsed, name)
        return parsed

    def _call_heard(self, operation: _Operation, request: dict[str, Any]) -> tuple[int, Any]:
        about = {"model": operation.model, "context": {}}
        _, instead = self._handlers.emit_until_response(f"before-call.{operation.event}", **about)
        if instead is None:
            status, headers, parsed = operation.read(self._carry_out(operation.model.name, request))
            http = AWSResponse(operation.url, status, headers, None)
        else:
            http, parsed = instead
        self._handlers.emit(f"after-call.{operation.event}", http_response=http, parsed=parsed, **about)
        return http.status_code, parsed

    def _call_the_whole_way(self, name: str, parameters: dict[str, Any]) -> Any:
        with self._lock:
            if self._whole is None:
                whole = self._make_whole()
                self._handlers.share(whole.meta.events)
                self._whole = whole
        return self._whole._make_api_call(name, parameters)  # noqa: SLF001 -- it is its own


class _Operation:
    """What the calls of an operation are given, and what they answer."""

    def __init__(self, pattern: Any, model: Any, parser: Any, requests: Requests, answers: Answers) -> None:
        self.model = model
        self.event = f"{model.service_model.service_id.hyphenize()}.{model.name}"
        self.url = pattern.meta.endpoint_url
        self._parser = parser
        self._endpoint = pattern._endpoint  # noqa: SLF001 -- there is no other way to it
        self._type = f"application/x-amz-json-{model.service_model.metadata['jsonVersion']}"
        self._tokens = model.idempotent_members
        self._copy_request, self._copy_answer = requests.of(model.input_shape), answers.of(model.output_shape)

    def request(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return what is sent. Raises UnusualError."""
        request: dict[str, Any] = self._copy_request(parameters)
        for name in self._tokens:
            request.setdefault(name, _number())
        return request

    def read(self, answer: dict[str, Any] | Answer) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Return the status, the headers and what botocore returns, or makes an error of."""
        if isinstance(answer, Answer):
            status, body = answer.status, answer.body
            headers = {name.lower(): value for name, value in answer.headers}
            document = json.loads(body) if status == _SUCCESS else None
        else:
            status, body, document = _SUCCESS, None, answer
            headers = {"content-type": self._type, "x-amzn-requestid": _number()}
        try:
            parsed = self._copy_answer(document)
            parsed["ResponseMetadata"] = {"HTTPStatusCode": status, "HTTPHeaders": headers}
            if "x-amzn-requestid" in headers:
                parsed["ResponseMetadata"]["RequestId"] = headers["x-amzn-requestid"]
        except UnusualError:
            parsed = self._parsed(status, headers, json.dumps(document).encode() if body is None else body)
        parsed["ResponseMetadata"] |= {"MaxAttemptsReached": True, "RetryAttempts": 0}  # after the only attempt
        return status, headers, parsed

    def _parsed(self, status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        response = {"status_code": status, "headers": headers, "body": body, "context": {}}
        parsed: dict[str, Any] = self._parser.parse(response, self.model.output_shape)
        if status >= _REFUSED:
            self._endpoint._add_modeled_error_fields(response, parsed, self.model, self._parser)  # noqa: SLF001
        return parsed


class _Operations(dict[str, _Operation]):
    """The operations of a service, by name."""

    def __init__(self, pattern: Any) -> None:
        super().__init__()
        self._pattern = pattern
        self._requests = Requests()
        protocol = pattern.meta.service_model.resolved_protocol
        factory = pattern._endpoint._response_parser_factory  # noqa: SLF001 -- there is no other way to it
        self._parser = factory.create_parser(protocol)
        self._answers = Answers(self._parser._timestamp_parser)  # noqa: SLF001 -- the same
        self._lock = threading.Lock()

    def __missing__(self, name: str) -> _Operation:
        model = self._pattern.meta.service_model.operation_model(name)
        with self._lock:
            self[name] = _Operation(self._pattern, model, self._parser, self._requests, self._answers)
        return self[name]


_operations = cache(_Operations)


def _number() -> str:
    """Return an id of the form that AWS's have; a random one is dear."""
    return f"{next(_NUMBERS):08x}-0000-4000-8000-000000000000"
