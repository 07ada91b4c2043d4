"""How long a model takes: measured where it runs."""
