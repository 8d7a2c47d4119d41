"""The pages below ``/dashboard`` of the API, for tenants and operators."""
