"""What the tool costs, measured: `python -m bench` (see `docs/performance.md`). No tests, and not installed."""
