"""Templates read, held to their rules, and rendered in a process of their own."""
