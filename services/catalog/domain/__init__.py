"""The catalog's rules. Standard library and pure parts of ``libs`` only.

``names``     resource names
``texts``     checks that several resources share
``persona``   an identity that publishes
``pillar``    a theme of a persona, and the rule that weights sum to 100 at most
``strategy``  the pillars of a persona and its cadence, and what a change would make of them
``photo``     a picture in the library, and how posts use it
``supply``    what can be done with the photos of a pillar
``gaps``      what a pillar lacks, and the report of it
``advice``    what to do about it, and why
``blobs``     under which keys the bytes of photos are kept
"""
