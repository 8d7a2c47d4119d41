"""Operations below ``/v1``: also those that clients of version 2 use, such as hashmap rules."""
