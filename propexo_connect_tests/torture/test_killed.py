"""Syncs killed at 20 random moments: nothing lost, nothing twice, the ledger never ahead of the data."""

from pathlib import Path

from propexo_connect_tests.torture.campaign import campaign

KILLS = 20


def test_a_duckdb_file_survives_kills_at_random_moments(tmp_path: Path) -> None:
    tally = campaign(str(tmp_path / "killed.duckdb"), KILLS, seed=11)
    assert tally.is_clean, tally
    assert tally.kills == KILLS


def test_a_postgresql_survives_kills_at_random_moments(postgres_url: str) -> None:
    tally = campaign(postgres_url, KILLS, seed=12)
    assert tally.is_clean, tally
    assert tally.kills == KILLS
