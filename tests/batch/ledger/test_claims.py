"""What holds of the claims as a whole; what each does is tested with the run that asks for it."""

from __future__ import annotations

import inspect

import pytest

from batch.ledger.claims import Claims, LedgerClaims
from batch.undo.claims import LedgerUndoClaims, UndoClaims


@pytest.mark.parametrize(("without", "with_ledger"), [(Claims, LedgerClaims), (UndoClaims, LedgerUndoClaims)])
def test_with_a_ledger_no_question_is_answered_as_without_one(without, with_ledger):
    """Every method that allows everything where there is no ledger is overridden where there is one."""
    questions = {name for name, _ in inspect.getmembers(without, inspect.isfunction) if not name.startswith("_")}
    assert questions
    assert questions <= set(vars(with_ledger))
