"""Sign-ins, from InitiateAuth to tokens.

Read `auth` first: it says which flow, and whose challenge. Each flow is a file. `mfa` asks for second factors. `finish`
and `tokens` end a sign-in.
"""
