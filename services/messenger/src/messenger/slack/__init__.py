"""Slack: its adapter, its read-back, its settings."""
