"""A motor as its file and its constants: the catalogue, maps, and what is generated from the tables."""
