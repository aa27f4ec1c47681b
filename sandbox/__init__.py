"""A local Amazon Cognito to rehearse a migration on.

The sandbox runs moto behind a small HTTP server, fills an old user pool with invented users, makes an empty new one,
and can fail calls in the ways Cognito and the network fail them. It is for tests and rehearsals only: the batch job
never imports it. Importing this package does not import moto; the modules that need moto do.
"""
