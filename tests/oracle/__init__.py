"""An independent oracle of quantities: what Gnocchi's resources used, by the published arithmetic.

It imports nothing of ratekit's, and reads other interfaces of Gnocchi than ratekit does: the
measures of single metrics and the histories of single resources. Everything is computed in
fractions, resource by resource and period by period; being slow and readable is its purpose.

======================  =========================================================================
``model``               resources with their revisions; frames
``definition``          an entry of metrics.yml, as PyYAML reads it
``custom_query``        a custom query as a function
``rating_time``         when a period is due, and which records count for it
``coverage``            which part of a bucket a revision has
``gauges, counters``    what each revision has of a period's buckets
``pools``               labels, shares, conversion, rounding
``quantities``          all frames of many resources
``lives``               random lives of resources
``chosen_lives``        those in which something seldom happens
``planting, reading``   lives written into Gnocchi's database and API; what the oracle reads
``differences``         the text that a failed comparison shows
======================  =========================================================================

Instants and lengths of time are integers: microseconds, since the epoch in UTC.
"""
