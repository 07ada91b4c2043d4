"""Commands of the heavy half; `edgekit.cli.main` finds them by name."""
