"""Where agents act, under the wrappers that a configuration names."""
