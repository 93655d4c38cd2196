"""The command line: arguments in, files and one document out.

What the commands do stands in the other packages.
"""
