"""The scheduler's rules: what a post and its publications may do. Standard library only.

``post``            what an operator sees: states, caption, time
``publication``     one post on one channel: its states and moves, its fingerprint
``submission``      what follows a failed call to a provider
``reconciliation``  finding out what became of a call whose answer was lost
``timing``          lateness, and when to ask whether a post went out
"""
