#!/usr/bin/env bash
# moto 5.2.5, ministack 1.5.33, cognito-local 5.3.0: ForgotPassword for users to whom Cognito sends no code.
#
# Guess: who has no verified address is refused with InvalidParameterException, as the API reference of ForgotPassword says; who
# still has the temporary password of AdminCreateUser is refused with NotAuthorizedException, as reported of Cognito for years
# (amplify-js#1340, amplify-flutter#3048). And the administrator's reset of a stand-in refuses whom its ForgotPassword refuses.
# Is: ForgotPassword is well for all of them, on all three. moto refuses the administrator's reset of the same users, ministack does
# not, and cognito-local has none. So a test that moves users and lets them choose a new password passes on each, where Cognito
# would lock the same users out.
set -euo pipefail
here=$(mktemp -d)
servers=()
trap '[ ${#servers[@]} = 0 ] || kill "${servers[@]}"; rm -rf "$here"' EXIT
venv() {
    python3 -m venv "$here/$1"
    "$here/$1/bin/pip" install -qq --disable-pip-version-check "${@:2}"
}
venv moto "moto[server,cognitoidp]==5.2.5" boto3==1.44.8 botocore==1.44.8
venv ministack ministack==1.5.33
(cd "$here" && npm install --silent --no-audit --no-fund cognito-local@5.3.0 >/dev/null)

start() {
    cd "$here"
    env -i HOME="$here" PATH="$PATH" GATEWAY_PORT="$1" BIND_HOST=127.0.0.1 IOT_MTLS_ENABLED=0 SERVICES=cognito-idp \
        PORT="$1" HOST=127.0.0.1 "${@:2}" >>"$here/said" 2>&1 &
    servers+=($!)
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        kill -0 $! || { cat "$here/said" >&2; exit 1; }
        sleep 0.2
    done
}
ports=()
for _ in 1 2 3; do
    ports+=("$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')")
done
start "${ports[0]}" "$here/moto/bin/moto_server" -p "${ports[0]}"
start "${ports[1]}" "$here/ministack/bin/ministack"
start "${ports[2]}" node "$here/node_modules/cognito-local/lib/bin/start.js"

cat >"$here/program.py" <<'PYTHON'
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ONCE = Config(retries={"total_max_attempts": 1})
for name, port in zip(("moto", "ministack", "cognito-local"), sys.argv[1:], strict=True):
    url = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "config": ONCE}
    client = boto3.client("cognito-idp", "us-east-1", endpoint_url=url, **keys)
    settings = {"UsernameAttributes": ["email"], "AutoVerifiedAttributes": ["email"]}
    pool = client.create_user_pool(PoolName="pool", **settings)["UserPool"]["Id"]
    app = client.create_user_pool_client(UserPoolId=pool, ClientName="app")["UserPoolClient"]["ClientId"]

    def made(user, verified, permanent):
        address = f"{user}@example.com"
        attributes = [{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": verified}]
        given = {"UserPoolId": pool, "Username": address, "UserAttributes": attributes, "MessageAction": "SUPPRESS"}
        client.admin_create_user(**given, TemporaryPassword="Example-1")
        if permanent:
            client.admin_set_user_password(UserPoolId=pool, Username=address, Password="Example-2", Permanent=True)
        return address

    def said(act, **given):
        try:
            act(**given)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "well"

    kinds = {"verified": ("true", True), "not verified": ("false", True), "temporary password": ("true", False)}
    for count, (kind, how) in enumerate(kinds.items()):
        forgot = said(client.forgot_password, ClientId=app, Username=made(f"a{count}", *how))
        reset = said(client.admin_reset_user_password, UserPoolId=pool, Username=made(f"b{count}", *how))
        print(f"{name}, {kind}: ForgotPassword {forgot}, AdminResetUserPassword {reset}")
PYTHON

cat >"$here/expected" <<'TEXT'
moto, verified: ForgotPassword well, AdminResetUserPassword well
moto, not verified: ForgotPassword well, AdminResetUserPassword InvalidParameterException
moto, temporary password: ForgotPassword well, AdminResetUserPassword NotAuthorizedException
ministack, verified: ForgotPassword well, AdminResetUserPassword well
ministack, not verified: ForgotPassword well, AdminResetUserPassword well
ministack, temporary password: ForgotPassword well, AdminResetUserPassword well
cognito-local, verified: ForgotPassword well, AdminResetUserPassword Unsupported
cognito-local, not verified: ForgotPassword well, AdminResetUserPassword Unsupported
cognito-local, temporary password: ForgotPassword well, AdminResetUserPassword Unsupported
TEXT

env -i HOME="$here" PATH="$PATH" "$here/moto/bin/python" "$here/program.py" "${ports[@]}" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "The stand-ins now send a code to other users." >&2
    exit 1
fi
