"""What a model is worth: metrics of each task over any model, and two models side by side.

Whole commands work in one guarded child process, because they open files from outside
with native code: the public functions start it, the `_worker` beside each does the work.
"""
