"""One engine a file, blind to each other; `annotate` is the lettering that they share."""
