"""What everything else stands on: settings, records on disk, caches, devices, faults.

Nothing here reads an image or runs a network.
"""
