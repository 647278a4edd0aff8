"""One chain, run step by step and drawn: `story` runs it, `recording` is what is kept, `picture` draws that."""
