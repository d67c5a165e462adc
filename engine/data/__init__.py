"""``torch.utils.data``: data sets, the order in which they are read, and batches of them."""

from engine.data import loading as loading
from engine.data import samplers as samplers
from engine.data import sets as sets
