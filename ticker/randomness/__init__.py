"""Seeded randomness: draws by counter, and the distributions made of them."""
