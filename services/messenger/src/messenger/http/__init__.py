"""The way out by HTTP that chats and texts share, with the gate in it."""
