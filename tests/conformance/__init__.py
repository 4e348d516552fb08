"""SPEC.md against the program: its tables, its examples, its diagrams, and which test holds which clause."""
