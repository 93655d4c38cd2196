"""The Train page: the form of a new run, a run as it goes, the table of runs."""
