#!/usr/bin/env bash
# aws-lambda-powertools 3.37.0: its pydantic models of Cognito's trigger events against documented events.
#
# Guess: what the developer guide documents for a trigger is parsed by the model of that trigger.
# Is: the custom-challenge models know every name of a past challenge but CUSTOM_CHALLENGE, so the second round of a custom
# sign-in is refused; a UserMigration from forgot-password is refused for the password that Cognito does not send there;
# PreSignUp and PostConfirmation each take one of their sources. The data classes of the same package take all of these.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check aws-lambda-powertools==3.37.0 pydantic==2.14.4

cat >"$here/program.py" <<'PYTHON'
from aws_lambda_powertools.utilities.data_classes import cognito_user_pool_event as classes
from aws_lambda_powertools.utilities.parser.models import cognito as models
from pydantic import ValidationError


def event(source, response=None, **request):
    return {
        "version": "1",
        "region": "us-east-1",
        "userPoolId": "us-east-1_example",
        "userName": "carol",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example"},
        "triggerSource": source,
        "request": request,
        "response": response or {},
    }


def round_of(*names):
    past = [{"challengeName": name, "challengeResult": True} for name in names]
    return event("DefineAuthChallenge_Authentication", userAttributes={}, session=past)


def parsed(model, given):
    try:
        model.model_validate(given)
    except ValidationError as error:
        return [(".".join(map(str, one["loc"])), one["type"]) for one in error.errors()]
    return "parsed"


Define, Migrate = models.CognitoDefineAuthChallengeTriggerModel, models.CognitoMigrateUserTriggerModel
Sign, Confirm = models.CognitoPreSignupTriggerModel, models.CognitoPostConfirmationTriggerModel
print("first round:", parsed(Define, round_of()))
print("after SRP_A:", parsed(Define, round_of("SRP_A")))
print("after CUSTOM_CHALLENGE:", parsed(Define, round_of("CUSTOM_CHALLENGE")))
print("migration at sign-in:", parsed(Migrate, event("UserMigration_Authentication", password="Example-1")))
print("migration at forgot-password:", parsed(Migrate, event("UserMigration_ForgotPassword", clientMetadata={})))
for model, source in (Sign, "PreSignUp_AdminCreateUser"), (Confirm, "PostConfirmation_ConfirmForgotPassword"):
    print(f"{source}:", parsed(model, event(source, userAttributes={})))
past = classes.DefineAuthChallengeTriggerEvent(round_of("CUSTOM_CHALLENGE")).request.session
print("data class:", past[0].challenge_name)
PYTHON

cat >"$here/expected" <<'TEXT'
first round: parsed
after SRP_A: parsed
after CUSTOM_CHALLENGE: [('request.session.0.challengeName', 'literal_error')]
migration at sign-in: parsed
migration at forgot-password: [('request.password', 'missing')]
PreSignUp_AdminCreateUser: [('triggerSource', 'literal_error')]
PostConfirmation_ConfirmForgotPassword: [('triggerSource', 'literal_error')]
data class: CUSTOM_CHALLENGE
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "The models of Powertools now take other events of Cognito's." >&2
    exit 1
fi
