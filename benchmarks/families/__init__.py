"""Families of architectures with untrained weights: do they convert, and at what cost?"""
