"""From a converted model to the artifact of one target."""
