"""
The control API: the director over HTTP, for tests in any language.

``operations`` is the one table of what there is: it routes, it says what is allowed, and it is the OpenAPI document.
``schema`` checks values against it, ``document`` writes it down, ``handler`` answers.
"""
