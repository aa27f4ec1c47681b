"""A configuration that is read, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from batch.settings.config import Config
from userpool.errors import SettingsError
from userpool.settings import read

OLD, NEW = {"user_pool_id": "eu-west-1_OldPool01"}, {"user_pool_id": "eu-west-1_NewPool01"}


def read_config(**settings: Any) -> Config:
    return read(Config, {"source": OLD, "target": NEW, **settings}, "")


def refusal(**settings: Any) -> str:
    """What is said of settings that are refused."""
    with pytest.raises(SettingsError) as refused:
        read_config(**settings)
    return str(refused.value)
