"""The Model page: the network drawn, its numbers, feature maps."""
