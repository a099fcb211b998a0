"""The engine: from tiles to commits; knows no vendor and no orchestrator."""
