"""The doors: ratekit-processor, ratekit-dbsync and ratekit."""
