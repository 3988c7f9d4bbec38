"""The catalog's rules. Standard library and pure parts of ``libs`` only.

``names``     resource names
``texts``     checks that several resources share
``persona``   an identity that publishes
``pillar``    a theme of a persona, and the rule that weights sum to 100 at most
``strategy``  the pillars of a persona and its cadence, and what a change would make of them
``pillar_template``  a set of pillars for a kind of persona; ``template_library`` has them
``measures``  what is measured on a photo
``photo``     a picture in the library, and how posts use it
``supply``    what can be done with the photos of a pillar
``gaps``      what a pillar lacks, and the report of it
``advice``    what to do about it, and why
``suggestion``  an idea for what to make next, its batch, and whom each is for
``seen``      the photos of a pillar in words, and what they lack
``brief``     briefs written without a model; ``vocabulary`` has the words
``asking``    what a language model is told, and what it must answer
``repetition``  the rule that no idea comes twice
``run``       an attempt to create a picture
``campaign``  a plan of posts that comes in as a whole
``blobs``     under which keys the bytes of photos are kept
"""
