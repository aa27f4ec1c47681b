"""The command line. One file is one command: its options, its wiring, its words.

Read `main` first: it lists the commands. A command's module is imported when the command is called. `terminal` has what
all commands share, exit codes included. `session` prepares and ends one run of a command.

This is the only wing that knows click. It holds no SQL, and no other wing imports it.
"""
