"""The Evaluate page: forms, jobs, and their figures in words and charts."""
