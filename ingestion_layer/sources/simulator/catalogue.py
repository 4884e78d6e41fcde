"""What the shop sells."""

from dataclasses import dataclass

import numpy as np

from ingestion_layer.sources.simulator.columns import Floats, Ints
from ingestion_layer.sources.simulator.shop import Shop

CATEGORIES = {
    "kitchen": ("mug", "bowl", "kettle", "jug", "tray", "teapot"),
    "home": ("lamp", "cushion", "clock", "frame", "candle", "vase"),
    "garden": ("planter", "lantern", "watering can", "bird house", "bench", "trowel"),
    "toys": ("puzzle", "kite", "doll", "train", "blocks", "drum"),
    "fashion": ("scarf", "bag", "hat", "gloves", "belt", "umbrella"),
    "stationery": ("notebook", "pen set", "card", "ribbon", "stamp", "folder"),
    "bath": ("soap", "towel", "sponge", "mirror", "basket", "brush"),
    "electronics": ("radio", "speaker", "charger", "torch", "fan", "scale"),
}
COLOURS = ("red", "blue", "green", "white", "ivory", "pink", "black", "yellow", "silver", "striped")
MEDIAN_PENCE = (650, 1400, 1900, 1200, 2200, 350, 800, 3500)


@dataclass(frozen=True)
class Catalogue:
    """The products, ordered by category and then by price.

    ``first`` has one more element than there are categories: category c is the products first[c] to first[c + 1] - 1.
    """

    ids: list[str]
    descriptions: list[str]
    category: Ints
    pence: Ints
    first: Ints

    def choose(self, random: np.random.Generator, category: Ints, sensitivity: Floats) -> Ints:
        """One product of each category given: the more price-sensitive (0 to 1), the cheaper."""
        place = random.random(len(category)) ** (0.6 + 2 * sensitivity)
        count = self.first[category + 1] - self.first[category]
        return np.asarray(self.first[category] + (place * count).astype(np.int64))


def draw_catalogue(shop: Shop) -> Catalogue:
    """The catalogue of ``shop``; prices spread log-normally around the median of their category."""
    random = shop.random("catalogue")
    category = np.sort(np.arange(shop.products) % len(CATEGORIES))
    spread = np.exp(random.normal(0, 0.6, shop.products))
    pence = np.maximum(np.rint(np.array(MEDIAN_PENCE)[category] * spread), 25).astype(np.int64)
    order = np.lexsort((pence, category))
    names = list(CATEGORIES)
    colours = random.integers(0, len(COLOURS), shop.products)
    nouns = random.integers(0, 6, shop.products)
    descriptions = [
        f"{COLOURS[colour]} {CATEGORIES[names[kind]][noun]}".upper()
        for kind, colour, noun in zip(category, colours, nouns, strict=True)
    ]
    return Catalogue(
        ids=[f"P{number:05d}" for number in range(shop.products)],
        descriptions=descriptions,
        category=category,
        pence=pence[order],
        first=np.searchsorted(category, np.arange(len(CATEGORIES) + 1)),
    )
