from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from botocore import exceptions as botocore
from botocore import session
from botocore.exceptions import ClientError
from hypothesis import assume, given
from hypothesis import strategies as st

from userpool.answers.codes import NEXT, Next
from userpool.answers.credentials import why_not_accepted
from userpool.answers.redaction import redact, values_carried
from userpool.answers.triggers import CALLED_BY, REFUSALS
from userpool.answers.wording import Said
from userpool.errors import (
    AlreadyExistsError,
    DroppedError,
    FatalError,
    MigrationError,
    NoSuchAppClientError,
    NoSuchPoolError,
    NotAllowedError,
    NotEnabledError,
    NotFoundError,
    PassingError,
    SettingsError,
    ThrottledError,
    UnansweredError,
    UnreachableError,
    UserError,
    from_botocore_error,
    from_client_error,
)
from userpool.quotas import CATEGORY

POOL = "eu-west-1_OldPool01"
URL = "https://cognito-idp.example"


def answered(code: str, status: int = 400, *, message: str = "No.", operation: str = "AdminGetUser", secrets=()):
    """What becomes of an error that Cognito answered."""
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = ClientError(response, operation)
    return from_client_error(error, operation=operation, pool_id=POOL, secrets=secrets)


def unanswered(error: botocore.BotoCoreError) -> MigrationError:
    """What becomes of an error that is no answer."""
    return from_botocore_error(error, operation="AdminCreateUser", pool_id=POOL)


# Classes


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("TooManyRequestsException", 400, ThrottledError),
        ("ThrottlingException", 400, ThrottledError),
        ("Throttling", 400, ThrottledError),
        ("RequestLimitExceeded", 503, ThrottledError),
        ("SomethingNew", 429, ThrottledError),
        ("InternalErrorException", 400, DroppedError),
        ("InternalErrorException", 500, DroppedError),
        ("ServiceUnavailable", 503, DroppedError),
        ("502", 502, DroppedError),
        ("AccessDeniedException", 400, NotAllowedError),
        ("AccessDenied", 403, NotAllowedError),
        ("ExpiredTokenException", 400, FatalError),
        ("ExpiredToken", 403, FatalError),
        ("RequestExpired", 400, FatalError),
        ("UnrecognizedClientException", 400, FatalError),
        ("InvalidClientTokenId", 403, FatalError),
        ("SignatureDoesNotMatch", 403, FatalError),
        ("InvalidSignatureException", 400, FatalError),
        ("OperationNotEnabledException", 400, NotEnabledError),
        ("InvalidUserPoolConfigurationException", 400, NotEnabledError),
        ("FeatureUnavailableInTierException", 400, NotEnabledError),
        ("UserImportInProgressException", 400, FatalError),
        ("ConcurrentModificationException", 400, UserError),
        ("ResourceNotFoundException", 400, NoSuchPoolError),
        ("UsernameExistsException", 400, AlreadyExistsError),
        ("AliasExistsException", 400, AlreadyExistsError),
        ("GroupExistsException", 400, AlreadyExistsError),
        ("UserNotFoundException", 400, NotFoundError),
        ("InvalidParameterException", 400, UserError),
        ("InvalidPasswordException", 400, UserError),
        ("UnsupportedUserStateException", 400, UserError),
        ("UserLambdaValidationException", 400, UserError),
        ("LimitExceededException", 400, UserError),
        ("NotAuthorizedException", 400, UserError),
        ("SomethingNew", 400, UserError),
        ("SomethingNew", 0, UserError),
    ],
)
def test_an_answer_is_classed_by_what_happens_next(code, status, kind):
    """Each error code, with its HTTP status, is exactly the class that says whether to wait, stop or go on."""
    assert type(answered(code, status)) is kind


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("AdminAddUserToGroup", NotFoundError),
        ("ListUsersInGroup", NotFoundError),
        ("DescribeUserPool", NoSuchPoolError),
        ("DescribeUserPoolClient", NoSuchAppClientError),
        ("AdminInitiateAuth", NoSuchAppClientError),
        ("AdminCreateUser", NoSuchPoolError),
        ("ListUsers", NoSuchPoolError),
    ],
)
def test_a_missing_group_is_no_reason_to_stop_and_a_missing_pool_is(operation, kind):
    """ResourceNotFoundException is about the group or app client where a call names one, else about the pool."""
    assert type(answered("ResourceNotFoundException", operation=operation)) is kind


@pytest.mark.parametrize(
    "operation", ["ListUsersInGroup", "AdminListGroupsForUser", "DeleteGroup", "AdminAddUserToGroup"]
)
def test_a_pool_that_is_gone_is_no_empty_group(operation):
    """Where Cognito's sentence names the pool, the pool is missing, whatever else the call names."""
    gone = answered("ResourceNotFoundException", operation=operation, message=f"User pool {POOL} does not exist.")
    assert type(gone) is NoSuchPoolError
    for other in ("Group not found.", f"Identity provider X does not exist in user pool {POOL}."):
        assert type(answered("ResourceNotFoundException", operation=operation, message=other)) is NotFoundError


MODEL = session.Session().get_service_model("cognito-idp")
WIRE = {"ThrottlingException", "Throttling", "RequestLimitExceeded", "AccessDenied"}


@pytest.mark.parametrize("operation", sorted(CATEGORY))
def test_every_code_of_every_call_is_in_the_table(operation):
    """What an operation of ours may answer is classed on purpose: a code that a newer model brings is noticed here."""
    if operation not in MODEL.operation_names:
        pytest.skip("this botocore does not know it")
    assert [shape.name for shape in MODEL.operation_model(operation).error_shapes if shape.name not in NEXT] == []


def test_no_code_is_in_the_table_that_nothing_answers():
    """Each code is one of Cognito's model, or one that every service of AWS answers; a function's have words."""
    modelled = {shape.name for name in MODEL.operation_names for shape in MODEL.operation_model(name).error_shapes}
    assert NEXT.keys() - modelled == WIRE
    assert {code for code, then in NEXT.items() if then is Next.BY_A_FUNCTION} == set(REFUSALS)


def test_an_import_job_is_waited_for():
    """What an import job keeps from being changed is told in sentences of its own, which say that nothing was."""
    said = str(answered("UserImportInProgressException", operation="UpdateUserPool"))
    assert said.startswith(f"An import job is under way in {POOL}, and UpdateUserPool has to wait for it.")
    assert "Nothing was changed." in said


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (botocore.ReadTimeoutError(endpoint_url=URL), DroppedError),
        (botocore.ConnectionClosedError(endpoint_url=URL), DroppedError),
        (botocore.HTTPClientError(error="reset"), DroppedError),
        (botocore.ConnectTimeoutError(endpoint_url=URL), UnreachableError),
        (botocore.EndpointConnectionError(endpoint_url=URL), UnreachableError),
        (botocore.ProxyConnectionError(proxy_url=URL), UnreachableError),
        (botocore.NoCredentialsError(), FatalError),
        (botocore.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), FatalError),
        (botocore.TokenRetrievalError(provider="sso", error_msg="expired"), FatalError),
        (botocore.SSLError(endpoint_url=URL, error="self-signed"), FatalError),
        (botocore.NoRegionError(), FatalError),
        (botocore.ParamValidationError(report="Invalid length"), UserError),
    ],
)
def test_what_is_no_answer_is_classed_by_whether_the_call_was_sent(error, kind):
    """A call that surely was not sent can be repeated, one that may have been carried out is kept apart."""
    assert type(unanswered(error)) is kind


def test_the_classes_tell_what_happens_next():
    """A setting, a fatal error, a user's error and a passing one are four different things."""
    branches = {
        SettingsError: [],
        FatalError: [NotAllowedError, NoSuchPoolError, NoSuchAppClientError],
        UserError: [AlreadyExistsError, NotFoundError, UnansweredError],
        PassingError: [ThrottledError, UnreachableError, DroppedError],
    }
    for branch, leaves in branches.items():
        others = branches.keys() - {branch}
        for kind in [branch, *leaves]:
            assert issubclass(kind, branch)
            assert issubclass(kind, MigrationError)
            assert not any(issubclass(kind, other) for other in others)


# Remedies


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (answered("AccessDeniedException"), "grant cognito-idp:AdminGetUser and rerun"),
        (answered("ExpiredTokenException"), "renew them and rerun"),
        (answered("UnrecognizedClientException"), "Check the profile and rerun"),
        (answered("SignatureDoesNotMatch", 403), "does not belong to its access key"),
        (answered("InvalidSignatureException"), "does not belong to its access key"),
        (answered("MissingAuthenticationTokenException"), "without a whole signature"),
        (answered("RequestExpired"), "timedatectl set-ntp true"),
        (answered("OperationNotEnabledException"), "check its region and settings"),
        (answered("ResourceNotFoundException"), "check user_pool_id and region"),
        (unanswered(botocore.NoCredentialsError()), "set the profile, or sign in, and rerun"),
        (unanswered(botocore.SSLError(endpoint_url=URL, error="x")), "check proxies and certificates"),
        (unanswered(botocore.NoRegionError()), "check the AWS configuration"),
        (unanswered(botocore.EndpointConnectionError(endpoint_url=URL)), "check region, endpoint_url and the network"),
    ],
)
def test_what_stops_a_run_says_what_to_do(error, remedy):
    """An error that ends a run names the pool it is about and the remedy."""
    assert remedy in str(error)
    assert POOL in str(error)


def test_an_error_of_one_user_says_what_was_called_and_what_cognito_said():
    """The operation, the code and Cognito's own words are kept."""
    said = str(
        answered("InvalidParameterException", message="Username should be an email.", operation="AdminCreateUser")
    )
    assert all(part in said for part in ("AdminCreateUser", "InvalidParameterException", "should be an email"))


def test_an_answer_without_words_is_classed_all_the_same():
    """An answer that lacks code, message and status is an ordinary error."""
    error = from_client_error(ClientError({}, "ListUsers"), operation="ListUsers", pool_id=POOL, secrets=())
    assert type(error) is UserError


# Values


def call_with(attribute: str, password: str) -> dict[str, object]:
    """The parameters of a call that carries personal values."""
    return {
        "Username": "ada",
        "UserAttributes": [{"Name": "nickname", "Value": attribute}, {"Name": "locale", "Value": ""}],
        "TemporaryPassword": password,
        "MessageAction": "SUPPRESS",
    }


def test_attribute_values_and_passwords_are_what_a_call_must_not_repeat():
    """Every attribute value and every password of a call is known as such, and its other parameters are not."""
    assert set(values_carried(call_with("Countess", "S3cret!"))) == {"Countess", "", "S3cret!"}
    assert set(values_carried({"Password": "S3cret!", "Permanent": True, "Username": "ada"})) == {"S3cret!"}
    assert list(values_carried({"GroupName": "Admins", "Limit": 60})) == []


frames = st.sampled_from(
    [
        "Attribute value {} is not allowed.",
        "{}{}",
        "1 validation error detected: Value '{}' at 'userAttributes.1.member.value' failed to satisfy constraint",
        "Lambda said: {}, {} and {}.",
    ]
)
codes = st.sampled_from(["InvalidParameterException", "AliasExistsException", "OperationNotEnabledException", "Odd"])
# "…" is what stands in for a value, and so would be found again.
secrets = st.text(st.characters(exclude_characters="…", codec="utf-8"), min_size=2, max_size=40)


@given(frames, codes, st.sampled_from([400, 500]), secrets, secrets)
def test_no_message_holds_a_value_that_the_call_carried(frame, code, status, attribute, password):
    """Wherever Cognito quotes an attribute's value or a password, it is not in our message."""
    params = call_with(attribute, password)
    for value in (attribute, password):
        without = answered(code, status, message=frame.replace("{}", ""), operation="AdminCreateUser")
        assume(value not in str(without))
        said = answered(
            code,
            status,
            message=frame.replace("{}", value),
            operation="AdminCreateUser",
            secrets=values_carried(params),
        )
        assert value not in str(said)


@given(st.text(st.characters(exclude_characters="'"), min_size=1, max_size=40))
def test_what_awss_validation_quotes_is_left_out_even_if_it_was_changed(quoted):
    """A quotation in AWS's validation messages is removed whatever it says, across lines too."""
    message = f"2 validation errors detected: Value '{quoted}' at 'username' failed; Value '{quoted}' at 'x' failed"
    said = redact(message, ())
    assert re.findall(r"Value '(.*?)' at", said, re.DOTALL) == ["…", "…"]


def test_a_value_that_holds_another_is_removed_whole():
    """Of two values, of which one is a part of the other, neither leaves a rest."""
    assert redact("cannot use ada@example.com", ["ada", "ada@example.com"]) == "cannot use …"


def test_a_botocore_error_is_not_quoted_at_all():
    """What botocore says may hold the parameters, and is left out."""
    report = "Invalid type for parameter UserAttributes[0].Value, value: Countess-4711, type: <class 'int'>"
    said = str(unanswered(botocore.ParamValidationError(report=report)))
    assert "Countess-4711" not in said
    assert "too long, or not text" in said


@pytest.mark.parametrize(
    ("message", "value", "said"),
    [
        ("email ADA@EXAMPLE.COM is taken", "Ada@Example.com", "email … is taken"),
        ("got input_value='ada@exam...', no", "ada@example.com", "got … no"),
        ("Ada, a Countess", "Ada Lovelace, Countess of Lovelace", "… a …"),
        ("link?mail=ada%40example.com is bad", "ada@example.com", "… is bad"),
        ("O&#39;Brien is bad", "O'Brien", "… is bad"),
        ("M\\u00fcller is bad", "Müller", "… is bad"),
        ("MULLER and Muller are bad", "Müller", "… and … are bad"),
        ("491701234567 is bad", "+491701234567", "… is bad"),
        ("170 1234567 is bad", "+491701234567", "… is bad"),
        ("born 12.03.1985", "1985-03-12", "born …"),
        ("Li may not", "Li", "… may not"),
        ("somebody@else.example is bad", "ada", "… is bad"),
        ("call +44 20 7946 0018 now", "ada", "call … now"),
        ("two\n  lines\tof it", "ada", "two lines of it"),
    ],
)
def test_a_value_is_recognised_in_another_case_in_part_and_encoded(message, value, said):
    """Whatever quotes a value, or looks like an address or a number, is left out; the rest stays in one line."""
    assert redact(message, [value]) == said


@pytest.mark.parametrize(
    "message",
    [
        "Password did not conform with policy: Password must have uppercase characters",
        "user.custom:level: Attribute cannot be updated.",
        "1 validation error detected: Value '…' at 'username' failed to satisfy constraint",
    ],
)
def test_what_quotes_nothing_keeps_its_words(message):
    """A sentence of Cognito's own stays as it is beside the values of an ordinary user."""
    assert redact(message, ["ada@example.com", "+491701234567", "Ada Lovelace", "S3cret!x"]) == message


def test_a_long_text_is_cut():
    """A page of text is no sentence, and is cut."""
    assert len(redact("no " * 1000, ())) < 500


halves = st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12)
changed = st.sampled_from([str.upper, str.title, str.lower, lambda value: value.replace("@", "%40"), lambda v: v[:-1]])


@given(halves, halves, changed, st.sampled_from(["'{}'", "value={}", "<b>{}</b>", "[type=str, input={}]", "{}"]))
def test_no_address_is_left_in_any_form(local, domain, change, frame):
    """An address in another case, encoded, cut or within other marks leaves none of its two halves."""
    address = f"{local}@{domain}.zz"
    assume(local not in frame and domain not in frame)
    said = redact(f"PreSignUp failed: {frame.format(change(address))}.".replace("PreSignUp failed", ""), [address])
    assert local not in said.lower()
    assert domain not in said.lower()


# Functions of the pool's own


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize(
    "operation", ["AdminCreateUser", "AdminResetUserPassword", "AdminInitiateAuth", "AdminGetUser"]
)
def test_the_text_of_a_function_is_never_shown(code, operation):
    """What a function of the pool's own wrote is dropped: code, trigger and length stay, in one line."""
    text = "PreSignUp failed with error 1 validation error\nrequest.userAttributes.email\n  input 'ada at example'."
    error = answered(code, message=text, operation=operation)
    assert "ada" not in str(error)
    assert "validation" not in str(error)
    assert "\n" not in str(error)
    assert all(part in str(error) for part in (code, operation, "on PreSignUp", str(len(text))))
    assert error.refusal.trigger == "PreSignUp"


def test_a_function_that_is_not_named_is_told_by_the_call_where_only_one_is_called():
    """AdminCreateUser calls one trigger; of several that an operation may call, none is guessed."""
    assert answered("InvalidLambdaResponseException", operation="AdminCreateUser").refusal.trigger == "PreSignUp"
    assert answered("InvalidLambdaResponseException", operation="AdminInitiateAuth").refusal.trigger == ""
    assert len(CALLED_BY["AdminInitiateAuth"]) > 1


def test_a_function_cannot_name_a_trigger_that_does_not_exist():
    """The first word of a function's text is a trigger's name only if Cognito has such a trigger."""
    error = answered("UserLambdaValidationException", message="ada@example.com failed", operation="AdminInitiateAuth")
    assert error.refusal.trigger == ""
    assert "ada" not in str(error)


# Sentences that tell what a code does not


@pytest.mark.parametrize(
    ("code", "message", "meant"),
    [
        ("NotAuthorizedException", "Password attempts exceeded", {Said.LOCKED_OUT}),
        ("NotAuthorizedException", "User is disabled.", {Said.DISABLED}),
        ("NotAuthorizedException", "Incorrect username or password.", set()),
        (
            "NotAuthorizedException",
            "Client 1a2b is configured with secret but SECRET_HASH was not received",
            {Said.APP_CLIENT},
        ),
        (
            "NotAuthorizedException",
            "Unable to verify secret hash for client 1a2b",
            {Said.APP_CLIENT, Said.SECRET_HASH},
        ),
        ("InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client", {Said.APP_CLIENT}),
        ("UserLambdaValidationException", "PreAuthentication failed with error User is disabled.", set()),
    ],
)
def test_a_sentence_counts_under_its_code_alone(code, message, meant):
    """The few sentences that decide something are Cognito's own: a function that writes the same decides nothing."""
    assert answered(code, message=message, operation="AdminInitiateAuth").said == meant


def test_a_value_that_has_the_words_of_a_sentence_hides_nothing():
    """A password whose words are those of Cognito's sentence does not change what the sentence means."""
    error = answered("NotAuthorizedException", message="User is disabled.", secrets=["disabled"])
    assert error.said == {Said.DISABLED}
    assert "disabled" not in str(error)


def test_a_code_that_can_be_none_is_not_repeated():
    """What stands where a code belongs may be anybody's text."""
    assert "ada" not in str(answered("<p>ada@example.com</p>"))


# Who calls


EXPIRED = "Signature expired: 20261201T010000Z is now earlier than 20261201T011000Z (20261201T011500Z - 5 min.)"
EARLY = "Signature not yet current: 20261201T023000Z is still later than 20261201T012000Z (20261201T011500Z + 5 min.)"


@pytest.mark.parametrize("code", ["InvalidSignatureException", "SignatureDoesNotMatch"])
@pytest.mark.parametrize(("message", "ours"), [(EXPIRED, "2026-12-01 01:00:00"), (EARLY, "2026-12-01 02:30:00")])
def test_a_wrong_clock_is_told_with_both_times(code, message, ours):
    """A signature that is too old or too new is the clock's fault, not the profile's."""
    error = answered(code, message=message)
    assert type(error) is FatalError
    assert "clock" in str(error)
    assert "profile" not in str(error)
    assert f"The clock says {ours} UTC, AWS says 2026-12-01 01:15:00 UTC" in str(error)


def test_a_wrong_clock_is_told_by_the_answers_date():
    """Where the sentence has no times, the answer's Date header has AWS's."""
    response = {
        "Error": {"Code": "SignatureDoesNotMatch", "Message": "Signature mismatch."},
        "ResponseMetadata": {"HTTPHeaders": {"date": "Tue, 01 Dec 2026 01:15:00 GMT"}},
    }
    error = ClientError(response, "GetCallerIdentity")
    late = why_not_accepted(error, POOL, now=datetime(2026, 12, 1, 1, 0, tzinfo=UTC))
    assert "The clock says 2026-12-01 01:00:00 UTC, AWS says 2026-12-01 01:15:00 UTC" in late
    good = why_not_accepted(error, POOL, now=datetime(2026, 12, 1, 1, 15, 20, tzinfo=UTC))
    assert "does not belong to its access key" in good


def test_each_reason_why_a_caller_is_not_accepted_has_a_sentence_of_its_own():
    """Ended, unknown, mismatched and missing credentials are told apart."""
    codes = ("ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignature")
    said = {str(answered(code)).replace(code, "") for code in codes}
    assert len(said) == len(codes)
    assert all(POOL in sentence for sentence in said)
