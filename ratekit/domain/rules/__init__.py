"""Price rules: values, validity, history, explanation."""
