"""Times two models against each other in turn, in processes of their own, and decides what is more than noise.

Nothing here loads the interpreter into the calling process.
"""
