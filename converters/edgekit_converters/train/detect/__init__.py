"""Train a detector: SSD heads on a small feature pyramid over a MobileNet."""
