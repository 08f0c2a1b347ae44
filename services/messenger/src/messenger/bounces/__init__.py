"""Mail that came back: read, placed, decided."""
