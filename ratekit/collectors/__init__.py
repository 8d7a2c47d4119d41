"""Plug-ins that read usage from a metering back end."""
