"""Events, each an address, a time and a polarity, binned to frames, one for each timestep."""

from __future__ import annotations

from kgenn.events.binning import Binned, bin_events
from kgenn.events.recording import EventFields, fields_of

__all__ = ["Binned", "EventFields", "bin_events", "fields_of"]
