"""A study's explorer: one page that holds its numbers, to filter, sort and look into."""
