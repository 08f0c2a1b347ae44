"""Texts over Twilio: the adapter, its read-back, its settings."""
