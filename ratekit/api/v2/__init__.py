"""Operations below ``/v2``."""
