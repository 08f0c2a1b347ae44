"""Which way a message takes: channels in their order, policies, permitted hours."""
