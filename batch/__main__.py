"""`python -m batch` is `cognito-migrate`."""

from batch.cli import main

main()
