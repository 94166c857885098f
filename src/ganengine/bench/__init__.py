"""Timing whole training steps, alone or against other frameworks, fairly.

A contestant has a process of its own, on the same processors as all others. All must compute the
same losses from the same weights, images and noise before anything is timed; then they take turns,
round after round, and the ratio of each round is what counts. Which others there are is said in the
source tree, under ``bench/``; nothing here imports a framework.
"""
