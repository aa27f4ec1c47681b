#!/usr/bin/env bash
# @aws-lambda-powertools/parser 2.35.0 (zod 4.6.7): its schemas of a custom sign-in's events, round by round.
#
# Guess: they take what the Python models of the same project take, an empty `session` in the first round among it.
# Is: DefineAuthChallenge and CreateAuthChallenge want at least one past challenge, so the first event of every sign-in by
# CUSTOM_AUTH without SRP is refused, and with it the sign-in. The second round is parsed; in Python it is the other way round
# (powertools-cognito-models.sh).
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm install --silent --no-audit --no-fund @aws-lambda-powertools/parser@2.35.0 zod@4.6.7 >/dev/null

cat >program.mjs <<'JS'
import { CreateAuthChallengeTriggerSchema, DefineAuthChallengeTriggerSchema } from "@aws-lambda-powertools/parser/schemas/cognito";

const event = (source, response, request) => ({
  version: "1",
  region: "us-east-1",
  userPoolId: "us-east-1_example",
  userName: "carol",
  callerContext: { awsSdkVersion: "aws-sdk-unknown-unknown", clientId: "1example" },
  triggerSource: `${source}AuthChallenge_Authentication`,
  request: { userAttributes: { sub: "a" }, ...request },
  response,
});
const said = (schema, given) => {
  const told = schema.safeParse(given);
  return told.success ? "parsed" : told.error.issues.map((one) => `${one.path.join(".")} ${one.code}`).join(", ");
};
const rounds = { first: [], "after SRP_A": ["SRP_A"], second: ["CUSTOM_CHALLENGE"] };
for (const [round, names] of Object.entries(rounds)) {
  const session = names.map((challengeName) => ({ challengeName, challengeResult: false }));
  console.log(`define, ${round}: ${said(DefineAuthChallengeTriggerSchema, event("Define", {}, { session }))}`);
  const asked = { session, challengeName: "CUSTOM_CHALLENGE" };
  console.log(`create, ${round}: ${said(CreateAuthChallengeTriggerSchema, event("Create", {}, asked))}`);
}
JS

cat >expected <<'TEXT'
define, first: request.session too_small
create, first: request.session too_small
define, after SRP_A: parsed
create, after SRP_A: parsed
define, second: parsed
create, second: parsed
TEXT

node program.mjs >seen 2>&1 || true
cat seen
if ! diff expected seen; then
    echo "The schemas of Powertools now take other rounds of a custom sign-in." >&2
    exit 1
fi
