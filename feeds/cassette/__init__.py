"""
Cassettes: record what any WebSocket feed says through a proxy, and play it back to whoever asks the same.

``lines`` is the file's format, ``redact`` keeps secrets out of it, ``proxy`` records. ``index`` is what a tape holds,
``requests`` says when two requests are the same, ``matching`` which recorded connection a client gets, ``pace`` when it is
played, and ``player`` serves it.
"""
