"""What a person decided beforehand: `config.yaml`, the window, list prices, decisions about collisions.

Read `config` first. `config.template.yaml` is the file that `init` writes.

This wing reads files and checks values. It makes no call, and it does not know what the settings are used for.
"""
