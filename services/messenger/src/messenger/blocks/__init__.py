"""Numbers that nothing goes to."""
