"""`python -m batch` is `cognito-migrate`."""

from batch.cli.main import main

main()
