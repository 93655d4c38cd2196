"""What several pages share: caches, forms, charts, pictures, words.

What one page alone needs stands in its own folder.
"""
