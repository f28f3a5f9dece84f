"""The typed program: what a traced function does, as data."""
