"""What becomes of a message in doubt: its provider is asked, or reports by itself."""
