"""What two pages share: caches, forms, charts, pictures."""
