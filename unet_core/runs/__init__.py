"""Work that outlives the browser: run and job directories, the queue, processes, stopping.

What a training computes stands in `training`.
"""
