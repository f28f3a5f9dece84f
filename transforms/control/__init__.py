"""Control flow and custom rules: primitives that carry programs."""
