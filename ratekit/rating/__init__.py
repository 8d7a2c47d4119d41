"""Rating modules: rules to prices, without network, database or clock."""
