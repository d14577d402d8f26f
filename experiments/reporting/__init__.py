"""Statistics, tables and the style of figures."""
