"""What a person may order over HTTP, and `duly` asks for."""
