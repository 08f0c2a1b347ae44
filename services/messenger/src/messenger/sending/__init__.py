"""The ledger of what is sent: claimed, leased, let through the gate, and told."""
