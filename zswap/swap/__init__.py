"""The layer above the store: zero map, compressed store and swap device behind one set of verbs."""
