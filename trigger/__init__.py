"""The Lambda of the new user pool: captures passwords at the first sign-in and gives the first token its groups."""
