from __future__ import annotations

from command_line import command


def test_the_demo_migrates_a_made_up_pool_and_ends_well():
    """`demo` runs every command on a local pool, finds the two pools alike, and does nothing twice."""
    result = command("demo", "--users", "60")
    assert result.code == 0, result.err
    assert "No differences" in result.out
    assert "0 in the second" in result.out
