"""The Lambda of the new pool as an operator sees it: package it, attach it, find out why a user is not captured.

Read `package`, then `attach` (a pool's LambdaConfig as it is and as it must be), then `diagnosis`, which asks the
function's own code what it would decide. It is the only file of `batch/` that imports `trigger/`.

The function itself is in `trigger/`. This wing changes nothing: the command line carries out what it decides.
"""
