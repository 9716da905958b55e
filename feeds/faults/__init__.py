"""
Faults on command: what can go wrong between a feed and its clients goes wrong when told to.

======================  ==============================================================
:mod:`.kinds`           the table of faults: names, parameters, what they do
:mod:`.fault`           one fault as a value: what, whom it hits, when, how often
:mod:`.plan`            the faults in force, and the answers to "does it hit here?"
:mod:`.mangle`          what feed faults do to an event
:mod:`.envelope`        what puts that into the messages of one connection
:mod:`.valve`           a transport that can be held up
:mod:`.link`            one connection, and what may be done to it
:mod:`.links`           all connections of a plant, and which fault hits which
:mod:`.injector`        brings the faults of the plan to a plant's connections
:mod:`.upgrade`         what is done to an upgrade
:mod:`.commands`        ``fault.<name>(...)``, with handles (:mod:`.handle`) that are context managers
======================  ==============================================================

The first six take and return values. Clients that no fault hits stay in the hub's groups, with everybody else.
"""
