"""How people write things down: lengths of time, symbols, events, options; read once, with errors that help."""
