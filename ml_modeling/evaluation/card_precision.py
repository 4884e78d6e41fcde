"""How many of the cards an investigator is given each day are compromised.

Source: Le Borgne et al., Fraud Detection Handbook, chapter 4, "Precision top-k metrics" (card precision).
"""

import numpy as np
from numpy.typing import NDArray

from ml_modeling.frames.examples import Floats, Integers


def card_precision(day: Integers, card: Integers, y: Integers, scores: Floats, k: int) -> float:
    """The share of compromised cards among the ``k`` with the highest scores of a day, as a mean over the days.

    All arrays are (n,), one value a payment. A card's score is the highest of its payments that day; it is compromised
    when one of these is fraud (``y`` 1). A card that was found so is blocked: it is not looked at on later days.
    """
    precisions, blocked = [], np.empty(0, dtype=card.dtype)
    for one in np.unique(day):
        rows = np.flatnonzero((day == one) & ~np.isin(card, blocked))
        found = _compromised(card[rows], y[rows], scores[rows], k)
        blocked = np.concatenate([blocked, found])
        precisions.append(len(found) / k)
    return float(np.mean(precisions))


def _compromised(card: Integers, y: Integers, scores: Floats, k: int) -> NDArray[np.int64]:
    """The compromised ones among the ``k`` cards with the highest scores; of equal scores the first by number."""
    cards, owner = np.unique(card, return_inverse=True)
    highest, is_compromised = np.full(len(cards), -np.inf), np.zeros(len(cards), dtype=np.bool_)
    np.maximum.at(highest, owner, scores)
    np.logical_or.at(is_compromised, owner, y == 1)
    looked_at = np.argsort(-highest, kind="stable")[:k]
    return cards[looked_at[is_compromised[looked_at]]]
