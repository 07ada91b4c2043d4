"""Where a model's time goes: the time of each of its operators."""
