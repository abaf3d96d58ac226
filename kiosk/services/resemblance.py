"""Whether a typed name may be that of somebody who must not collect; the rule is the server's too."""

from sync.resemblance import Resemblance, folded_words, resemblance

__all__ = ["Resemblance", "folded_words", "resemblance"]
