"""The Data page: samples, statistics, augmentation, weight map, generator."""
