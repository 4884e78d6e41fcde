"""Were the features that were answered those of the lake, and what was corrected since?"""
