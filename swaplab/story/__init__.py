"""One chain, run step by step and drawn."""
