"""What everything else stands on: settings, records on disk, caches, devices, faults.

Nothing here knows an image or a network.
"""
