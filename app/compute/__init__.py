"""The processes that run programs: a front that hands out tasks, and compute processes that can be killed."""
