"""The studio: pages that show a run of a script, step by step. `assets` are its files; the service serves them.

The pages compute nothing of what they show: a script goes to the service, and a view comes back (`swaplab.story.view`).
"""
