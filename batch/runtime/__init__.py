"""What any long command needs: threads, stops, progress bars, files, text.

Read `engine` first: it runs a step over many users, and a step goes on only after its facts were recorded. Then
`stopping`, which ends a command without losing work, and the small helpers.

This wing knows no Cognito, no SQLite and no click.
"""
