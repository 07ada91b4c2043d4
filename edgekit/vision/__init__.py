"""See: frames from cameras and files, what a detector says of them, the pipeline between."""
