"""From a row to a letter in a channel's own form."""
