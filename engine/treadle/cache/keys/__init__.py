"""Keys: typed, injective, and the same in every process."""

from treadle.cache.keys import builtins as _builtins  # registers its encodings
from treadle.cache.keys.digest import DIGEST_LENGTH, Digest
from treadle.cache.keys.encoding import ENCODERS, SCHEME, Encoder, digest_of

__all__ = ["DIGEST_LENGTH", "SCHEME", "Digest", "digest_of"]
del _builtins


def _find_encoder(kind: type) -> Encoder:
    from treadle.cache.keys.kinds import find_encoder  # most programs have no values but the builtin ones

    return find_encoder(kind)


ENCODERS.find = _find_encoder
