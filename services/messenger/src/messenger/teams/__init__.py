"""Microsoft Teams by webhook, best effort."""
