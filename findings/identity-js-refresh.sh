#!/usr/bin/env bash
# amazon-cognito-identity-js 6.3.21: which refusals it meets with another try.
#
# Guess: it tries nothing again, or what may pass (throttling, a fault of the server's), in each call alike.
# Is: a sign-in is tried once, even when it is throttled. A refresh is tried six times, and the sixth answer comes more than six
# seconds after the first, whatever the refusal is: a token that was revoked, a user who is disabled or gone, too. So where many
# hold tokens that are no longer good, each of them calls six times and waits before the app shows its sign-in.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm install --silent --no-audit --no-fund amazon-cognito-identity-js@6.3.21 >/dev/null

cat >program.js <<'JS'
const js = require("amazon-cognito-identity-js");
let calls = 0, waited = 0, told;
const later = setTimeout;
globalThis.setTimeout = (act, time, ...more) => ((waited += time), later(act, 0, ...more));
globalThis.fetch = async () => {
  calls += 1;
  const [status, code] = told;
  return { ok: false, status, headers: new Headers(), json: async () => ({ __type: code, message: "m" }) };
};
const pool = new js.CognitoUserPool({ UserPoolId: "us-east-1_Example01", ClientId: "1example" });
const user = () => new js.CognitoUser({ Username: "carol", Pool: pool });
const details = new js.AuthenticationDetails({ Username: "carol", Password: "Example-1" });
const refresh = (done) => user().refreshSession(new js.CognitoRefreshToken({ RefreshToken: "a" }), done);
const signIn = (done) => user().authenticateUser(details, { onSuccess: done, onFailure: done });
const ways = { "sign-in": signIn, refresh };
const answers = [
  [400, "NotAuthorizedException"],
  [400, "UserNotFoundException"],
  [400, "ResourceNotFoundException"],
  [400, "TooManyRequestsException"],
  [500, "InternalErrorException"],
];
(async () => {
  for (const [way, call] of Object.entries(ways)) {
    for (told of answers) {
      calls = waited = 0;
      const error = await new Promise(call);
      const seconds = Math.floor(waited / 1000);
      console.log(`${way}: ${error.code}, calls: ${calls}, whole seconds waited: ${seconds}`);
    }
  }
})();
JS

cat >expected <<'TEXT'
sign-in: NotAuthorizedException, calls: 1, whole seconds waited: 0
sign-in: UserNotFoundException, calls: 1, whole seconds waited: 0
sign-in: ResourceNotFoundException, calls: 1, whole seconds waited: 0
sign-in: TooManyRequestsException, calls: 1, whole seconds waited: 0
sign-in: InternalErrorException, calls: 1, whole seconds waited: 0
refresh: NotAuthorizedException, calls: 6, whole seconds waited: 6
refresh: UserNotFoundException, calls: 6, whole seconds waited: 6
refresh: ResourceNotFoundException, calls: 6, whole seconds waited: 6
refresh: TooManyRequestsException, calls: 6, whole seconds waited: 6
refresh: InternalErrorException, calls: 6, whole seconds waited: 6
TEXT

node program.js >seen 2>&1 || true
cat seen
if ! diff expected seen; then
    echo "amazon-cognito-identity-js now tries other calls again." >&2
    exit 1
fi
